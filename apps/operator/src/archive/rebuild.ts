import { ArchiveBehind } from '@placeorder/archive'
import { type OperatorStore, orderIdOf, shardOf } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import type { ArchiveDeps, BothStores } from './command.ts'

/**
 * Makes the filters of forgotten orders anew out of the archive, while orders are claimed and
 * forgotten. May run again: a rebuild that was not ended is begun anew.
 */
export async function rebuild(stores: BothStores, { out }: ArchiveDeps): Promise<number> {
  const { store, archive } = stores
  const sizes = new Map<number, number>()
  for (let shard = 0; shard < store.shards; shard += 1) {
    const { filters } = await store.forgetting.stateOf(shard)
    if (filters.length > 0)
      sizes.set(
        shard,
        filters.reduce((sum, { count }) => sum + count, 0),
      )
  }
  await demandBelieved(sizes.keys(), stores)
  for (const [shard, orders] of sizes) await store.rebuilding.begin(shard, orders)
  let entered = 0
  for await (const page of archive.scan()) {
    const orderIds = page.map((order) => orderIdOf(order))
    const byShard = Map.groupBy(orderIds, (orderId) => shardOf(orderId, store.shards))
    for (const [shard, ids] of byShard)
      if (sizes.has(shard)) entered += await store.rebuilding.enter(shard, ids)
  }
  await demandBelieved(sizes.keys(), stores)
  for (const shard of sizes.keys()) await store.rebuilding.swap(shard)
  out.write(`${entered.toLocaleString('en')} forgotten orders are in new filters\n`)
  return exitCode.good
}

/**
 * A filter that lacks an order lets it be claimed anew: only an archive that has all that Redis has
 * forgotten will do.
 */
export async function demandBelieved(
  shards: Iterable<number>,
  { store, archive }: { store: Pick<OperatorStore, 'states'>; archive: BothStores['archive'] },
): Promise<void> {
  const { transaction_read_only } = await archive.settings()
  if (transaction_read_only === 'on')
    throw new Error('ARCHIVE_URL names a replica: name the primary')
  for (const shard of shards) {
    const { archiveId, needed = 0 } = (await store.states.of(shard)) ?? {}
    const stands = (await archive.shards(archiveId)).find((one) => one.shard === shard)
    if ((stands?.version ?? -1) < needed)
      throw new ArchiveBehind(
        `the database is at version ${stands?.version ?? 'none'} of shard ${shard}, ` +
          `and has confirmed ${needed}: restore it to its latest state first`,
      )
  }
}
