import type { OrderGroup } from '@placeorder/store'

/**
 * A job with which this many workers died may be the cause: its orders are judged in another
 * process, one by one.
 */
const STALLS_MAX = 2

type Stalled = Pick<OrderGroup, 'stalled' | 'isolated'>

/** Whether the orders of a job are judged in another process. */
export const isIsolated = ({ stalled, isolated = false }: Stalled): boolean =>
  isolated || stalled >= STALLS_MAX

/**
 * Whether workers still die with a job that was isolated: its orders are then deferred unjudged,
 * each by itself.
 */
export const isDeadly = ({ stalled, isolated = false }: Stalled): boolean =>
  stalled > (isolated ? 0 : STALLS_MAX)
