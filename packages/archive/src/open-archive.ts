import type { Pool } from 'pg'
import type { FoundOrder } from './archived-order.ts'
import { type ConcludedBetween, concludedBetween } from './concluded-between.ts'
import { type DatabaseOptions, openPool } from './database.ts'
import { type LookedUp, lookUp, type OrderNames } from './look-up.ts'
import { checkSchema } from './migrate.ts'
import { type ScannedOrder, scanOrders } from './scan.ts'
import { requestOf, type Search, search } from './search.ts'
import {
  type Batch,
  compareShard,
  type EntryMark,
  type ShardOfArchive,
  type Written,
  writeBatch,
} from './write-batch.ts'

/** How far a shard is copied. */
export type ShardStands = ShardOfArchive & {
  version: number
  /** The last entry of its outbox that is archived, and a digest of it. */
  archivedTo: string | undefined
  archivedEntry: string | undefined
}

/** How the server keeps what it confirms: `on`, `off` or another word; undefined if unknown. */
export type Settings = Record<(typeof settings)[number], string | undefined>

const settings = ['fsync', 'synchronous_commit', 'transaction_read_only'] as const

/** Everything that is asked of the archive. */
export type Archive = {
  /** Copies a batch of concluded orders of one shard; see `writeBatch`. */
  write: (shard: ShardOfArchive, batch: Batch) => Promise<Written>
  /** Compares a shard with Redis as a batch does, without writing. */
  compare: (shard: ShardOfArchive, redisSide: Batch['redisSide']) => Promise<void>
  lookUp: (shard: ShardOfArchive, names: OrderNames[]) => Promise<LookedUp>
  search: (searched: Search) => AsyncGenerator<FoundOrder[]>
  /** Orders in the order of their conclusion; see `concludedBetween`. */
  concluded: (between: ConcludedBetween) => AsyncGenerator<FoundOrder[]>
  /** The packed request of an order; undefined if it is not archived, or was dropped. */
  requestOf: (order: OrderNames & { claimedAt: number }) => Promise<string | undefined>
  /** The shards of all installations that share the database, or of one. */
  shards: (archiveId?: string) => Promise<ShardStands[]>
  /**
   * How an installation's shards stand once the batches that are being written are committed, or
   * are not.
   */
  settledShards: (archiveId: string) => Promise<ShardStands[]>
  /** Makes the rows of an installation's shards, those that are not there. */
  register: (archiveId: string, shards: number) => Promise<void>
  /** All orders in the database, of every installation that shares it; see `scanOrders`. */
  scan: () => AsyncGenerator<ScannedOrder[]>
  /**
   * Has a shard name another entry of the outbox, after Redis was restored. Resolves with the
   * version; undefined if somebody has written meanwhile.
   */
  remark: (
    shard: ShardOfArchive,
    remarked: { version: number; entry: EntryMark },
  ) => Promise<number | undefined>
  settings: () => Promise<Settings>
  /** Rejects with why the archive cannot be used: it does not answer, or has an older schema. */
  check: () => Promise<void>
  close: () => Promise<void>
}

/** Opens an archive. Nothing is connected until something is asked. */
export function openArchive(options: DatabaseOptions): Archive {
  const pool = openPool(options)
  const composing = async () => (await import('./kysely-on.ts')).kyselyOn(pool)
  return {
    write: (shard, batch) => writeBatch(pool, shard, batch),
    compare: (shard, redisSide) => compareShard(pool, shard, redisSide),
    lookUp: (shard, names) => lookUp(pool, shard, names),
    search: async function* (searched) {
      yield* search(await composing(), searched)
    },
    concluded: (between) => concludedBetween(pool, between),
    requestOf: async (order) => requestOf(await composing(), order),
    shards: (archiveId) => readShards(pool, archiveId),
    settledShards: (archiveId) => readShards(pool, archiveId, 'FOR UPDATE'),
    register: async (archiveId, shards) => {
      await pool.query(
        `INSERT INTO archive_shards (archive_id, shard) SELECT $1::uuid, shard
         FROM unnest($2::integer[]) AS given(shard) ON CONFLICT (archive_id, shard) DO NOTHING`,
        [archiveId, Array.from({ length: shards }, (_, shard) => shard)],
      )
    },
    scan: () => scanOrders(pool),
    remark: (shard, remarked) => remark(pool, shard, remarked),
    settings: () => readSettings(pool),
    check: () => checkSchema(pool),
    close: () => pool.end(),
  }
}

async function readSettings(pool: Pool): Promise<Settings> {
  const { rows } = await pool.query(
    `SELECT ${settings.map((name) => `current_setting('${name}', true) AS ${name}`).join(', ')}`,
  )
  const [fsync, commit, readOnly] = settings.map((name) => rows[0]?.[name] ?? undefined)
  return { fsync, synchronous_commit: commit, transaction_read_only: readOnly }
}

/** With a lock, what others are writing is waited for. */
async function readShards(
  pool: Pool,
  archiveId: string | undefined,
  lock: '' | 'FOR UPDATE' = '',
): Promise<ShardStands[]> {
  const { rows } = await pool.query({
    name: lock === '' ? 'read-shards' : 'lock-shards',
    text: `SELECT archive_id, shard, version, archived_to, archived_entry FROM archive_shards
           WHERE $1::uuid IS NULL OR archive_id = $1::uuid ORDER BY archive_id, shard ${lock}`,
    values: [archiveId ?? null],
  })
  return rows.map((row) => ({
    archiveId: row.archive_id,
    shard: row.shard,
    version: Number(row.version),
    archivedTo: row.archived_to ?? undefined,
    archivedEntry: row.archived_entry ?? undefined,
  }))
}

async function remark(
  pool: Pool,
  { archiveId, shard }: ShardOfArchive,
  { version, entry }: { version: number; entry: EntryMark },
): Promise<number | undefined> {
  const { rows } = await pool.query(
    `UPDATE archive_shards SET version = version + 1, archived_to = $4, archived_entry = $5
     WHERE archive_id = $1 AND shard = $2 AND version = $3 RETURNING version`,
    [archiveId, shard, version, entry.id, entry.digest],
  )
  return rows[0] === undefined ? undefined : Number(rows[0].version)
}
