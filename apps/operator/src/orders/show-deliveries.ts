import { type OperatorStore, type OrderId, type SinkJob, shardOf } from '@placeorder/store'
import { momentOf, tableOf } from './print.ts'

/** The newest sendings of a sink are looked through; no more are kept in a shard, about. */
const LOOKED_THROUGH = 2_000

/** What is last in the table has no time. */
const LAST = Number.POSITIVE_INFINITY

type Row = { at: number; row: [when: string, sink: string, what: string] }

/**
 * What is remembered of the deliveries of an order's event: the sendings to each sink, and when it
 * is tried again, replays included. Empty where no sink reads, or the order is open.
 */
export async function deliveriesText(orderId: OrderId, store: OperatorStore): Promise<string> {
  const shard = shardOf(orderId, store.shards)
  const record = await store.orders.record(orderId)
  const isOpen = record !== undefined && record.outcome === undefined
  const rows: Row[] = []
  for (const sink of await store.streams.list(shard)) {
    const known = [
      ...(await sendingRows(orderId, sink, store)),
      ...(await jobRows(orderId, sink, store)),
    ]
    // Those who pull are sent nothing, and an open order has no event.
    if (known.length === 0 && !isOpen && sink !== 'pull')
      known.push({ at: LAST, row: ['', sink, notRemembered] })
    rows.push(...known)
  }
  const inOrder = rows.sort((a, b) => a.at - b.at).map(({ row }) => row)
  return inOrder.length === 0 ? '' : `\n${tableOf(['when', 'sink', 'its event'], inOrder)}`
}

const notRemembered =
  'not remembered: it was sent long ago, waits in the outbox, or does not pass the filters'

async function sendingRows(orderId: OrderId, sink: string, store: OperatorStore): Promise<Row[]> {
  const shard = shardOf(orderId, store.shards)
  const sendings = await store.streams.deliveries(shard, sink, LOOKED_THROUGH)
  return sendings
    .filter(({ orderIds }) => orderIds.includes(orderId))
    .map(({ at, ms, result }) => ({ at, row: [momentOf(at), sink, `${result}, after ${ms} ms`] }))
}

async function jobRows(orderId: OrderId, sink: string, store: OperatorStore): Promise<Row[]> {
  const jobs = store.jobsOf(shardOf(orderId, store.shards), sink)
  const found = await jobs.ofOrder(orderId).finally(() => jobs.close())
  return found.map((job) => jobRow(sink, job))
}

function jobRow(sink: string, { state, dueAt, reason, isReplay }: SinkJob): Row {
  const what = isReplay ? 'its replay ' : ''
  if (state === 'dead')
    return { at: LAST, row: ['', sink, `${what}is a dead letter, tried no more: ${reason}`] }
  if (dueAt === undefined) {
    const now = Date.now()
    return { at: now, row: [momentOf(now), sink, `${what}is tried again now`] }
  }
  return { at: dueAt, row: [momentOf(dueAt), sink, `${what}is tried again, about`] }
}
