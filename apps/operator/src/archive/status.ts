import { namesOf } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import { ageOf, tableOf } from '../orders/print.ts'
import type { ArchiveDeps, BothStores } from './command.ts'

/** Orders that were set aside are named up to so many. */
const LISTED_MAX = 100

/** Says how far each shard is copied, how many orders were forgotten, and what is wrong. */
export async function showStatus(
  { store, archive }: BothStores,
  { out }: ArchiveDeps,
): Promise<number> {
  const now = Date.now()
  const rows: string[][] = []
  const setAside: string[][] = []
  let wrong = 0
  for (let shard = 0; shard < store.shards; shard += 1) {
    const state = await store.states.of(shard)
    const stands = state && (await archive.shards(state.archiveId)).find((s) => s.shard === shard)
    const progress = await store.outbox.progress(shard)
    const { filters } = await store.forgetting.stateOf(shard)
    const forgotten = filters.reduce((sum, { count }) => sum + count, 0)
    const behind = state !== undefined && (stands?.version ?? -1) < state.committed
    if (behind) wrong += 1
    rows.push([
      String(shard),
      state?.isOff === false ? 'on' : 'off',
      stands === undefined ? 'none' : String(stands.version),
      `${state?.committed ?? 'none'}${behind ? ': the archive is behind' : ''}`,
      String(progress?.entries ?? 0),
      forgotten.toLocaleString('en'),
      progress?.oldest === undefined ? 'all archived' : ageOf(Math.max(0, now - progress.oldest)),
    ])
    for (const { orderId, reason } of await store.states.listSetAside(shard)) {
      const { acquirerId, paymentId } = namesOf(orderId)
      setAside.push([acquirerId, paymentId, reason])
    }
  }
  const heads = ['shard', 'copying', 'version', 'confirmed', 'outbox', 'forgotten', 'behind by']
  out.write(tableOf(heads, rows))
  if (setAside.length > 0) {
    out.write(`\n${setAside.length} orders cannot be archived, and stay in Redis\n`)
    out.write(tableOf(['acquirer', 'paymentId', 'why'], setAside.slice(0, LISTED_MAX)))
  }
  return wrong > 0 ? exitCode.missed : exitCode.good
}
