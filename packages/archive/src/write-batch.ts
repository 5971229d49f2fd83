import type { Pool, PoolClient } from 'pg'
import {
  ArchiveBehind,
  isDataError,
  isSerializationFailure,
  RedisWentBack,
} from './archive-fault.ts'
import type { OrderToArchive } from './archived-order.ts'
import { transaction } from './database.ts'
import { contradicted, insertOrders } from './order-statements.ts'

/** A shard of one installation: several may share a database. */
export type ShardOfArchive = { archiveId: string; shard: number }

/** An entry of the outbox: its id, and a digest of what is in it. */
export type EntryMark = { id: string; digest: string }

/** What Redis says when the shard's row is locked. */
export type RedisSide = {
  /** The highest version that the archive has confirmed: of copied, or of forgotten orders. */
  committed: number
  /** The entry that is there at the id that was asked for; undefined if none is. */
  entry: EntryMark | undefined
}

export type Batch = {
  /** Of one shard, each once. */
  orders: OrderToArchive[]
  /** The last entry of the outbox that they are of; undefined if they were not read from it. */
  last: EntryMark | undefined
  /**
   * Asks Redis what the archive is compared with; `at`: the id of the entry that the archive names.
   */
  redisSide: (at: string | undefined) => Promise<RedisSide>
}

export type Written = {
  version: number
  /** How many orders the archive did not have before. */
  inserted: number
  /** Orders that the archive has otherwise. */
  contradictions: OrderToArchive[]
  /** Orders that it cannot keep, and why. */
  unkeepable: { order: OrderToArchive; reason: string }[]
}

/** A transaction that met another one is tried again so often. */
const ATTEMPTS_MAX = 5

/**
 * Copies a batch in one transaction, or none of it. The shard's row is locked and compared with
 * Redis first: an archive that is behind is not written to, since an old backup would catch up by
 * it and be believed; nor is anything copied from a Redis that went back, whose revived orders may
 * end otherwise. What the archive has already is compared with what was to be written. A row that
 * PostgreSQL cannot keep is found by halving the batch.
 *
 * @throws ArchiveBehind, RedisWentBack; whatever else is retried as a whole
 */
export async function writeBatch(
  pool: Pool,
  shard: ShardOfArchive,
  batch: Batch,
): Promise<Written> {
  try {
    return await again(() => transaction(pool, (client) => write(client, shard, batch)))
  } catch (error) {
    if (!isDataError(error)) throw error
    const { orders } = batch
    const [order] = orders
    if (order !== undefined && orders.length === 1)
      return setAside(pool, shard, batch, order, error)
    const middle = Math.ceil(orders.length / 2)
    const first = await writeBatch(pool, shard, { ...batch, orders: orders.slice(0, middle) })
    const second = await writeBatch(pool, shard, { ...batch, orders: orders.slice(middle) })
    return {
      version: second.version,
      inserted: first.inserted + second.inserted,
      contradictions: [...first.contradictions, ...second.contradictions],
      unkeepable: [...first.unkeepable, ...second.unkeepable],
    }
  }
}

/**
 * Compares a shard with Redis as a batch does, without writing. What another archiver writes
 * between both reads proves nothing.
 *
 * @throws ArchiveBehind, RedisWentBack
 */
export async function compareShard(
  pool: Pool,
  shard: ShardOfArchive,
  redisSide: Batch['redisSide'],
): Promise<void> {
  for (;;) {
    const stands = await readShard(pool, shard, '')
    const there = await redisSide(stands.archivedTo)
    try {
      return compare(shard, stands, there)
    } catch (error) {
      if ((await readShard(pool, shard, '')).version === stands.version) throw error
    }
  }
}

async function setAside(
  pool: Pool,
  shard: ShardOfArchive,
  batch: Batch,
  order: OrderToArchive,
  error: unknown,
): Promise<Written> {
  const written = await writeBatch(pool, shard, { ...batch, orders: [] })
  const reason = error instanceof Error ? error.message : String(error)
  return { ...written, unkeepable: [{ order, reason }] }
}

async function again<T>(body: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await body()
    } catch (error) {
      if (attempt >= ATTEMPTS_MAX || !isSerializationFailure(error)) throw error
    }
  }
}

async function write(client: PoolClient, shard: ShardOfArchive, batch: Batch): Promise<Written> {
  const locked = await readShard(client, shard, 'FOR UPDATE')
  const { committed, entry } = await batch.redisSide(locked.archivedTo)
  compare(shard, locked, { committed, entry })
  const version = locked.version + 1
  const { orders } = batch
  const inserted = await insertOrders(client, orders, shard.shard, version)
  // Those that were inserted are equal to what is there.
  const contradictions = inserted === orders.length ? [] : await contradicted(client, orders)
  const { last } = batch
  const isLater = last !== undefined && isAfter(last.id, locked.archivedTo)
  await raise(client, shard, version, isLater ? last : undefined)
  return { version, inserted, contradictions, unkeepable: [] }
}

type ShardRow = {
  version: number
  archivedTo: string | undefined
  archivedEntry: string | undefined
}

async function readShard(
  client: Pool | PoolClient,
  { archiveId, shard }: ShardOfArchive,
  lock: '' | 'FOR UPDATE',
): Promise<ShardRow> {
  const { rows } = await client.query({
    name: lock === '' ? 'read-shard' : 'lock-shard',
    text: `SELECT version, archived_to, archived_entry FROM archive_shards
           WHERE archive_id = $1 AND shard = $2 ${lock}`,
    values: [archiveId, shard],
  })
  const [row] = rows
  if (row === undefined)
    throw new ArchiveBehind(`the database knows nothing of shard ${shard} of archive ${archiveId}`)
  return {
    version: Number(row.version),
    archivedTo: row.archived_to ?? undefined,
    archivedEntry: row.archived_entry ?? undefined,
  }
}

function compare(
  { shard }: ShardOfArchive,
  locked: ShardRow,
  { committed, entry }: RedisSide,
): void {
  if (locked.version < committed)
    throw new ArchiveBehind(
      `the database is at version ${locked.version} of shard ${shard}, ` +
        `and has confirmed ${committed}`,
    )
  if (locked.archivedTo === undefined) return
  const what = `entry ${locked.archivedTo} of the outbox of shard ${shard}`
  if (entry === undefined) throw new RedisWentBack(`${what} is archived, and not in Redis`)
  if (entry.digest !== locked.archivedEntry)
    throw new RedisWentBack(`${what} is archived, and another one in Redis`)
}

/** Whether an id of the outbox comes after another. */
export function isAfter(id: string, other: string | undefined): boolean {
  if (other === undefined) return true
  const [[ms = 0n, n = 0n], [otherMs = 0n, otherN = 0n]] = [id, other].map((one) =>
    one.split('-').map(BigInt),
  ) as [bigint[], bigint[]]
  return ms === otherMs ? n > otherN : ms > otherMs
}

async function raise(
  client: PoolClient,
  { archiveId, shard }: ShardOfArchive,
  version: number,
  last: EntryMark | undefined,
): Promise<void> {
  await client.query({
    name: 'raise-version',
    text: `UPDATE archive_shards SET version = $3, archived_to = COALESCE($4, archived_to),
             archived_entry = COALESCE($5, archived_entry)
           WHERE archive_id = $1 AND shard = $2`,
    values: [archiveId, shard, version, last?.id ?? null, last?.digest ?? null],
  })
}
