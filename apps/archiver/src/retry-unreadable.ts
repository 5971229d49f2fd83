import type { CopyDeps } from './copy-batch.ts'

/** So many orders are looked at in one call: as many as a group may have. */
const ORDERS_MAX = 128

/**
 * Has orders copied that could not be read when they were to be, and can be now: a newer version
 * wrote them, whose archiver this is, or somebody has repaired them.
 */
export async function retryUnreadable(
  shard: number,
  { outbox, states, records }: CopyDeps['store'],
): Promise<void> {
  const read = await records.read(shard, await states.unreadable(shard, ORDERS_MAX))
  await outbox.backfill(
    shard,
    read.flatMap((record) => (record instanceof Error ? [] : [record])),
  )
}
