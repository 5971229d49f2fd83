import type { OrderGroup } from '@placeorder/store'

/** A job with which so many workers died may be what they died of: its orders are judged elsewhere, one by one. */
const STALLS_MAX = 2

type Stalled = Pick<OrderGroup, 'stalled' | 'isolated'>

/** Whether the orders of a job are to be judged where no worker dies of them. */
export const isIsolated = ({ stalled, isolated = false }: Stalled): boolean =>
  isolated || stalled >= STALLS_MAX

/** Whether workers still die with a job that was isolated: its orders are not even looked at for a while, each by itself. */
export const isDeadly = ({ stalled, isolated = false }: Stalled): boolean =>
  stalled > (isolated ? 0 : STALLS_MAX)
