import { exitCode } from '../command-line.ts'
import type { ArchiveDeps, BothStores } from './command.ts'
import { concludedPairs } from './walk.ts'

/** So many orders are appended in one entry. */
const ENTRY_ORDERS_MAX = 128

/**
 * Appends concluded orders to the outbox that the archive does not have and, where orders are
 * forgotten, those whose entries were removed before; and those that were set aside, in case they
 * were repaired. May run again: archivers find what is there equal, and forget each order
 * once.
 */
export async function backfill(stores: BothStores, { out }: ArchiveDeps): Promise<number> {
  const { store } = stores
  let appended = 0
  for (let shard = 0; shard < store.shards; shard += 1) {
    const kept = await keptFrom(shard, stores)
    const setAside = new Set((await store.states.listSetAside(shard)).map((one) => one.orderId))
    for await (const pairs of concludedPairs(stores, shard)) {
      const missing = pairs.filter(
        ({ orderId, here, there }) =>
          there === undefined || here.concludedAt < kept || setAside.has(orderId),
      )
      for (let at = 0; at < missing.length; at += ENTRY_ORDERS_MAX) {
        const part = missing.slice(at, at + ENTRY_ORDERS_MAX)
        await store.outbox.backfill(
          shard,
          part.map(({ orderId, here }) => ({ orderId, outcome: here.outcome })),
        )
        appended += part.length
      }
    }
  }
  out.write(`${appended.toLocaleString('en')} orders will be copied by the archivers\n`)
  return exitCode.good
}

/**
 * Orders that were concluded before this time (ms) have no entry any more by which they would be
 * forgotten; 0 where nothing is forgotten.
 */
async function keptFrom(shard: number, { store }: BothStores): Promise<number> {
  const { forgottenTo } = await store.forgetting.stateOf(shard)
  if (forgottenTo === undefined) return 0
  const [first] = await store.outbox.from(shard, '-', 1)
  return first === undefined ? Number.POSITIVE_INFINITY : Number(first.id.split('-')[0])
}
