import type { FoundOrder } from './archived-order.ts'
import { type DatabaseOptions, kyselyOn, openPool } from './database.ts'
import { type LookedUp, lookUp, type OrderNames } from './look-up.ts'
import { checkSchema } from './migrate.ts'
import { requestOf, type Search, search } from './search.ts'
import {
  type Batch,
  compareShard,
  type ShardOfArchive,
  type Written,
  writeBatch,
} from './write-batch.ts'

/** How far a shard is copied. */
export type ShardStands = ShardOfArchive & { version: number; archivedTo: string | undefined }

/** Everything that is asked of the archive. */
export type Archive = {
  /** Copies a batch of concluded orders of one shard; see `writeBatch`. */
  write: (shard: ShardOfArchive, batch: Batch) => Promise<Written>
  /** Compares a shard with Redis as a batch does, without writing. */
  compare: (shard: ShardOfArchive, redisSide: Batch['redisSide']) => Promise<void>
  lookUp: (shard: ShardOfArchive, names: OrderNames[]) => Promise<LookedUp>
  search: (searched: Search) => AsyncGenerator<FoundOrder[]>
  /** The packed request of an order; undefined if it is not archived, or was dropped. */
  requestOf: (order: OrderNames & { claimedAt: number }) => Promise<string | undefined>
  /** The shards of all installations that share the database, or of one. */
  shards: (archiveId?: string) => Promise<ShardStands[]>
  /** Makes the rows of an installation's shards, those that are not there. */
  register: (archiveId: string, shards: number) => Promise<void>
  /** Rejects with why the archive cannot be used: it does not answer, or has an older schema. */
  check: () => Promise<void>
  close: () => Promise<void>
}

/** Opens an archive. Nothing is connected until something is asked. */
export function openArchive(options: DatabaseOptions): Archive {
  const pool = openPool(options)
  const db = kyselyOn(pool)
  return {
    write: (shard, batch) => writeBatch(pool, shard, batch),
    compare: (shard, redisSide) => compareShard(pool, shard, redisSide),
    lookUp: (shard, names) => lookUp(pool, shard, names),
    search: (searched) => search(db, searched),
    requestOf: (order) => requestOf(db, order),
    shards: async (archiveId) => {
      const { rows } = await pool.query(
        `SELECT archive_id, shard, version, archived_to FROM archive_shards
         WHERE $1::uuid IS NULL OR archive_id = $1::uuid ORDER BY archive_id, shard`,
        [archiveId ?? null],
      )
      return rows.map((row) => ({
        archiveId: row.archive_id,
        shard: row.shard,
        version: Number(row.version),
        archivedTo: row.archived_to ?? undefined,
      }))
    },
    register: async (archiveId, shards) => {
      await pool.query(
        `INSERT INTO archive_shards (archive_id, shard) SELECT $1::uuid, shard
         FROM unnest($2::integer[]) AS given(shard) ON CONFLICT (archive_id, shard) DO NOTHING`,
        [archiveId, Array.from({ length: shards }, (_, shard) => shard)],
      )
    },
    check: () => checkSchema(pool),
    close: () => pool.end(),
  }
}
