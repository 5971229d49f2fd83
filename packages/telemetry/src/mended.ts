import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Counts and logs open orders that no job was answerable for, and that were enqueued again. */
export function tellOfMended(
  metrics: Pick<Metrics, 'mended'>,
  log: Pick<Logger, 'warn'>,
): (paymentIds: string[]) => void {
  return (paymentIds) => {
    metrics.mended.inc(paymentIds.length)
    for (const paymentId of paymentIds)
      log.warn({ paymentId }, 'no job was answerable for it; enqueued again')
  }
}
