import {
  deferredListOf,
  type JobStatus,
  type OperatorStore,
  type OrderId,
  type OrderRecord,
  shardOf,
} from '@placeorder/store'
import { ageOf, momentOf, tableOf, visible, visibleLines } from './print.ts'

/** An event of an order, past or future. */
type Event = { at: number; what: string }

/**
 * The time since the claim; negative if a clock is late: a job's times are its ingress's and its
 * worker's.
 */
const afterOf = (ms: number): string => (ms < 0 ? `-${ageOf(-ms)}` : `+${ageOf(ms)}`)

type Fact = [name: string, value: string]

/**
 * An order's history with its times, for a person to read; undefined if there is no such order.
 * `full` adds its request as received, which is personal.
 */
export async function showOrder(
  orderId: OrderId,
  full: boolean,
  store: OperatorStore,
): Promise<string | undefined> {
  const record = await store.orders.record(orderId)
  if (record === undefined) return undefined
  const shard = shardOf(orderId, store.shards)
  const { jobId = '' } = record
  const list = deferredListOf(jobId)
  const [job, abandonedOrder, dueAt] = await Promise.all([
    list === undefined ? store.queues.job(shard, jobId) : undefined,
    store.orders.abandonedAt(orderId),
    list === undefined ? undefined : store.deferral.dueAt(shard, list, orderId),
  ])
  const now = Date.now()
  const history = historyOf(record, job, { abandonedOrder, dueAt }).sort((a, b) => a.at - b.at)
  const rows = history.map(({ at, what }) => [momentOf(at), afterOf(at - record.claimedAt), what])
  return [
    ...factsOf(record, job, now).map(([name, value]) => `${name.padEnd(18)}${visible(value)}\n`),
    '\n',
    tableOf(['when', 'after', 'what'], rows),
    ...(full ? ['\n', `${visibleLines(JSON.stringify(record.order, null, 2))}\n`] : []),
  ].join('')
}

function factsOf(
  { order, clientId, paymentRequestId, claimedAt, outcome, jobId }: OrderRecord,
  job: JobStatus | undefined,
  now: number,
): Fact[] {
  const { paymentAmount: paid, settlementAmount: settled, merchant } = order
  const store = merchant.store?.referenceStoreId
  return [
    ['paymentId', order.paymentId],
    ['paymentRequestId', paymentRequestId],
    [
      'state',
      outcome === undefined ? `open for ${ageOf(now - claimedAt)}` : `concluded ${outcome}`,
    ],
    ...(outcome === undefined ? [['job', jobWords(jobId, job)] satisfies Fact] : []),
    ['client', clientId],
    ['acquirer, psp', `${order.acquirerId}, ${order.pspId}`],
    ['amount', `${paid.value} ${paid.currency}, settled in ${settled.value} ${settled.currency}`],
    ['merchant', `${merchant.referenceMerchantId}${store === undefined ? '' : `, store ${store}`}`],
  ]
}

function jobWords(jobId: string | undefined, job: JobStatus | undefined): string {
  if (jobId === undefined) return 'none: requeue gives it one'
  const list = deferredListOf(jobId)
  if (list !== undefined) return `none: deferred, ${waitsFor(list)}`
  return job === undefined
    ? `${jobId}, which is gone: requeue gives it another`
    : `${jobId}, ${job.state}`
}

/** What an order on a list waits for. */
function waitsFor(list: string): string {
  if (list === 'later') return 'to be judged again'
  if (list === 'isolated') return 'to be judged in a process of its own: workers have died of it'
  return `until ${list.replace(/^check:/, 'check ')} answers again`
}

function historyOf(
  { claimedAt, concludedAt, outcome, jobId }: OrderRecord,
  job: JobStatus | undefined,
  { abandonedOrder, dueAt }: { abandonedOrder: number | undefined; dueAt: number | undefined },
): Event[] {
  const history: Event[] = [{ at: claimedAt, what: 'claimed' }]
  if (job !== undefined) {
    // A job is made while its claim is in flight: dated by the ingress's clock, maybe before the
    // claim.
    history.push({ at: Math.max(claimedAt, job.enqueuedAt), what: `job ${jobId} enqueued` })
    if (job.startedAt !== undefined)
      history.push({ at: job.startedAt, what: `taken by a worker, attempt ${job.attempts}` })
    if (job.dueAt !== undefined) history.push({ at: job.dueAt, what: 'to be retried, not before' })
  }
  if (dueAt !== undefined) history.push({ at: dueAt, what: 'to be retried by then at the latest' })
  if (abandonedOrder !== undefined)
    history.push({ at: abandonedOrder, what: 'abandoned: it could not be decided in time' })
  if (concludedAt !== undefined) history.push({ at: concludedAt, what: `concluded ${outcome}` })
  return history
}
