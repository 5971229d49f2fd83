import { digestOf, type OperatorStore, type OrderId, shardOf } from '@placeorder/store'
import { momentOf, tableOf } from './print.ts'

/** The newest sendings of a sink are looked through; no more are kept in a shard, about. */
const LOOKED_THROUGH = 2_000

/**
 * What is remembered of the deliveries of an order's event: the sendings to each sink, and when it
 * is tried again. Empty where nothing is.
 */
export async function deliveriesText(orderId: OrderId, store: OperatorStore): Promise<string> {
  const shard = shardOf(orderId, store.shards)
  const rows: { at: number; row: string[] }[] = []
  for (const sink of await store.streams.list(shard)) {
    const sendings = await store.streams.deliveries(shard, sink, LOOKED_THROUGH)
    for (const { at, ms, result, orderIds } of sendings)
      if (orderIds.includes(orderId))
        rows.push({ at, row: [momentOf(at), sink, `${result}, after ${ms} ms`] })
    const jobs = store.jobsOf(shard, sink)
    const job = await jobs.find(digestOf(orderId)).finally(() => jobs.close())
    if (job === undefined) continue
    const { state, dueAt, reason } = job
    const next = dueAt === undefined ? 'is tried again now' : 'is tried again, about'
    const at = dueAt ?? Date.now()
    const what = state === 'dead' ? `a dead letter, tried no more: ${reason}` : next
    rows.push({ at, row: [state === 'dead' ? '' : momentOf(at), sink, what] })
  }
  const inOrder = rows.sort((a, b) => a.at - b.at).map(({ row }) => row)
  return inOrder.length === 0 ? '' : `\n${tableOf(['when', 'sink', 'its event'], inOrder)}`
}
