import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Counts and logs open orders that had no job and were enqueued again. */
export function reportRequeued(
  metrics: Pick<Metrics, 'requeued'>,
  log: Pick<Logger, 'warn'>,
): (orders: { acquirerId: string; paymentId: string }[]) => void {
  return (orders) => {
    metrics.requeued.inc(orders.length)
    for (const { acquirerId, paymentId } of orders)
      log.warn({ acquirerId, paymentId }, 'requeued an open order that had no job')
  }
}
