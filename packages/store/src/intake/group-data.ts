import type { OrderId } from '../keys.ts'
import { lookupIdsOf, wordsOf } from '../orders/lookup-ids.ts'
import { type GroupData, JOB_VERSION, type JoiningGroup } from '../queue/job-rounds.ts'
import type { IncomingOrder } from './intake.ts'

/** The data of a job for these orders. */
export function dataOf(
  group: (IncomingOrder & { orderId: OrderId })[],
): GroupData & Pick<JoiningGroup, 'subjects'> {
  const traces = group.flatMap(({ orderId, trace }) =>
    trace === undefined ? [] : [[orderId, trace] as const],
  )
  return {
    orderIds: group.map(({ orderId }) => orderId),
    subjects: group.map(({ order }) => wordsOf(lookupIdsOf(order))),
    ...(traces.length > 0 ? { traces: Object.fromEntries(traces) } : {}),
  }
}

/** These orders as a group that joins a job now. */
export const joiningGroupOf = (group: Parameters<typeof dataOf>[0]): JoiningGroup => ({
  v: JOB_VERSION,
  ...dataOf(group),
  at: Date.now(),
})
