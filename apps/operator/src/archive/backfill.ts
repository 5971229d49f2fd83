import { exitCode } from '../command-line.ts'
import type { ArchiveDeps, BothStores } from './command.ts'
import { concludedPairs } from './walk.ts'

/** So many orders are appended in one entry. */
const ENTRY_ORDERS_MAX = 128

/**
 * Appends concluded orders to the outbox that the archive does not have. May run again: archivers
 * find what is there equal.
 */
export async function backfill(stores: BothStores, { out }: ArchiveDeps): Promise<number> {
  const { store } = stores
  let appended = 0
  for (let shard = 0; shard < store.shards; shard += 1) {
    for await (const pairs of concludedPairs(stores, shard)) {
      const missing = pairs.filter(({ there }) => there === undefined)
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
