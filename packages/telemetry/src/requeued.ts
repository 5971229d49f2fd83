import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Counts and logs open orders that no job was answerable for, and that were enqueued again. */
export function reportRequeued(
  metrics: Pick<Metrics, 'requeued'>,
  log: Pick<Logger, 'warn'>,
): (orders: { acquirerId: string; paymentId: string }[]) => void {
  return (orders) => {
    metrics.requeued.inc(orders.length)
    for (const { acquirerId, paymentId } of orders)
      log.warn({ acquirerId, paymentId }, 'no job was answerable for it; enqueued again')
  }
}
