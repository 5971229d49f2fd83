import type { OrderId } from '../keys.ts'
import { lookupIdsOf } from '../orders/lookup-ids.ts'
import type { GroupData, JoiningGroup } from '../queue/job-rounds.ts'
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
    subjects: group.map(({ order }) => {
      const { merchant, code, customer } = lookupIdsOf(order)
      return customer === undefined ? [merchant, code] : [merchant, code, customer]
    }),
    ...(traces.length > 0 ? { traces: Object.fromEntries(traces) } : {}),
  }
}
