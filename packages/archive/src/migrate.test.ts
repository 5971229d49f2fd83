import { randomUUID } from 'node:crypto'
import { testPostgres } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { anOrder } from '../test/an-order.ts'
import { ArchiveFault } from './archive-fault.ts'
import { openPool } from './database.ts'
import { maintain, migrate } from './migrate.ts'
import { openArchive } from './open-archive.ts'
import { printedMigrations, sqlMigrations } from './sql-migrations.ts'

const postgres = await testPostgres()
const archive = openArchive({ url: postgres.url })
afterAll(async () => {
  await archive.close()
  await postgres.close()
})

const MARCH = Date.UTC(2026, 2, 14)
const partitions = async () =>
  (
    await postgres.query(
      `SELECT relname FROM pg_class
       WHERE relname LIKE 'order_requests_y%' AND relkind = 'r' ORDER BY 1`,
    )
  ).map(({ relname }) => relname)

test('a process refuses a database without the schema, and names the command', async () => {
  await expect(archive.check()).rejects.toThrow(ArchiveFault)
  await expect(archive.check()).rejects.toThrow('run npm run archive -- migrate')
  await expect(maintain(postgres.url, { requestsKeepMonths: 0, now: MARCH })).rejects.toThrow(
    ArchiveFault,
  )
})

/** The URL of the archive with some of it changed. */
function changed(change: Partial<Pick<URL, 'password' | 'pathname' | 'port'>>): string {
  return Object.assign(new URL(postgres.url), change).href
}

test.each([
  ['a wrong password', changed({ password: 'wrong' }), /^ArchiveFault: .*password.*ARCHIVE_URL/],
  ['a database that is not there', changed({ pathname: '/nowhere' }), /^ArchiveFault: .*create it/],
  [
    'a PostgreSQL that is not there',
    changed({ port: '1' }),
    /not answer: see ARCHIVE_URL.*REFUSED/,
  ],
])('%s is reported at once, with the variable', async (_what, url, fault) => {
  const wrong = openArchive({ url })
  for (const report of [() => wrong.check(), () => migrate(url)]) {
    const error: unknown = await report().catch((error: unknown) => error)
    expect(String(error)).toMatch(fault)
    expect(String(error)).not.toMatch(/wrong(?! user)|:\/\//)
  }
  await wrong.close()
})

test('migrating brings the schema up to date, and once it is does nothing', async () => {
  const names = sqlMigrations().map(({ name }) => name)
  expect(await migrate(postgres.url)).toEqual(names)
  await archive.check()
  expect(await migrate(postgres.url)).toEqual([])
})

test('two that migrate at once get in nobody’s way', async () => {
  const url = await postgres.another()
  const names = await Promise.all([migrate(url), migrate(url)])
  expect(names.flat()).toEqual(sqlMigrations().map(({ name }) => name))
})

test('what is printed makes the same schema by hand', async () => {
  const url = await postgres.another()
  const pool = openPool({ url, unbounded: true })
  await pool.query(printedMigrations())
  expect(await migrate(url)).toEqual([])
  const columns = `SELECT table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY 1, 2`
  expect((await pool.query(columns)).rows).toEqual(await postgres.query(columns))
  await pool.end()
})

test('a process refuses an older schema, and takes a newer one', async () => {
  const [before, last] = sqlMigrations().slice(-2)
  const note = (name = '') =>
    postgres.query('INSERT INTO archive_migrations VALUES ($1, now()::text)', [name])
  const remove = (name = '') =>
    postgres.query('DELETE FROM archive_migrations WHERE name = $1', [name])
  await remove(last?.name)
  await expect(archive.check()).rejects.toThrow(`is at ${before?.name}, ${last?.name} is needed`)
  await note('9999_after')
  await archive.check()
  await remove('9999_after')
  await note(last?.name)
})

test('maintaining makes the partitions of the months to come, once', async () => {
  const months = ['y2026m03', 'y2026m04', 'y2026m05', 'y2026m06']
  const made = months.map((month) => `order_requests_${month}`)
  expect(await maintain(postgres.url, { requestsKeepMonths: 0, now: MARCH })).toEqual({
    made,
    dropped: [],
  })
  expect(await partitions()).toEqual(made)
  expect(await maintain(postgres.url, { requestsKeepMonths: 0, now: MARCH })).toEqual({
    made: [],
    dropped: [],
  })
})

test('requests that came before their partition move to it', async () => {
  const shard = { archiveId: randomUUID(), shard: 0 }
  await archive.register(shard.archiveId, 1)
  const order = anOrder({ claimedAt: Date.UTC(2026, 6, 1) })
  const redisSide = async () => ({ committed: 0, entry: undefined })
  await archive.write(shard, { orders: [order], last: { id: '1-0', digest: 'd' }, redisSide })
  await maintain(postgres.url, { requestsKeepMonths: 0, now: Date.UTC(2026, 4, 1) })
  expect(await postgres.query('SELECT payment_id FROM order_requests_y2026m07')).toEqual([
    { payment_id: order.paymentId },
  ])
  expect(await archive.requestOf(order)).toBe(order.request)
})

test('months that are kept no longer are dropped; the orders stay', async () => {
  const { dropped } = await maintain(postgres.url, {
    requestsKeepMonths: 2,
    now: Date.UTC(2026, 8, 30),
  })
  expect(dropped).toEqual(
    ['y2026m03', 'y2026m04', 'y2026m05', 'y2026m06'].map((month) => `order_requests_${month}`),
  )
  expect(await partitions()).toContain('order_requests_y2026m07')
  expect(await postgres.query('SELECT count(*) FROM orders')).toEqual([{ count: '1' }])
})
