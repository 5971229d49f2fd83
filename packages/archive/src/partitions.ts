import type { Pool } from 'pg'
import { transaction } from './database.ts'
import type { Maintained, Maintenance } from './migrate.ts'

/**
 * So many months to come have a partition: an operator who forgets `maintain` for a quarter loses
 * nothing by it.
 */
const MONTHS_AHEAD = 3

const PARTITION = /^order_requests_y(\d{4})m(\d\d)$/

/** A month as a whole number: so many since the year 0. */
const monthOf = (ms: number): number => {
  const date = new Date(ms)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}
const two = (number: number): string => String(number).padStart(2, '0')
const partsOf = (month: number) => ({ year: Math.floor(month / 12), number: (month % 12) + 1 })
const nameOf = (month: number): string => {
  const { year, number } = partsOf(month)
  return `order_requests_y${year}m${two(number)}`
}
const startOf = (month: number): string => {
  const { year, number } = partsOf(month)
  return `${year}-${two(number)}-01T00:00:00Z`
}

/**
 * Makes the partitions that are missing, and drops those that are kept no longer. May run again.
 */
export async function maintainPartitions(
  pool: Pool,
  { requestsKeepMonths, now }: Maintenance,
): Promise<Maintained> {
  const { rows } = await pool.query(
    `SELECT child.relname AS name FROM pg_inherits
     JOIN pg_class parent ON parent.oid = inhparent
     JOIN pg_class child ON child.oid = inhrelid
     WHERE parent.relname = 'order_requests' AND pg_table_is_visible(parent.oid)`,
  )
  const names = new Set(rows.map(({ name }) => String(name)))
  const thisMonth = monthOf(now)
  const made: string[] = []
  for (let month = thisMonth; month <= thisMonth + MONTHS_AHEAD; month += 1) {
    if (names.has(nameOf(month))) continue
    await makePartition(pool, month)
    made.push(nameOf(month))
  }
  const dropped = requestsKeepMonths === 0 ? [] : past([...names], thisMonth - requestsKeepMonths)
  for (const name of dropped) await pool.query(`DROP TABLE ${name}`)
  if (requestsKeepMonths > 0)
    await pool.query('DELETE FROM order_requests_default WHERE claimed_at < $1', [
      startOf(thisMonth - requestsKeepMonths),
    ])
  return { made, dropped }
}

/** Partitions of months before this one. */
const past = (names: string[], month: number): string[] =>
  names
    .filter((name) => {
      const [, year, number] = PARTITION.exec(name) ?? []
      return year !== undefined && Number(year) * 12 + Number(number) - 1 < month
    })
    .sort()

/**
 * Makes the partition of a month. What came before it was made is in the default one, and moves.
 */
async function makePartition(pool: Pool, month: number): Promise<void> {
  const [name, from, to] = [nameOf(month), startOf(month), startOf(month + 1)]
  const inMonth = `claimed_at >= '${from}' AND claimed_at < '${to}'`
  await transaction(pool, async (client) => {
    await client.query('LOCK TABLE order_requests_default IN ACCESS EXCLUSIVE MODE')
    await client.query(`CREATE TABLE ${name} (LIKE order_requests INCLUDING DEFAULTS)`)
    await client.query(
      `WITH moved AS (DELETE FROM order_requests_default WHERE ${inMonth} RETURNING *)
       INSERT INTO ${name} SELECT * FROM moved`,
    )
    await client.query(
      `ALTER TABLE order_requests ATTACH PARTITION ${name}
       FOR VALUES FROM ('${from}') TO ('${to}')`,
    )
  })
}
