import {
  type InquiryOrderAnswer,
  type InquiryOrderRequest,
  inquiryAnswer,
  orderNotExist,
} from '@placeorder/protocol'
import {
  type Durability,
  type FoundOrder,
  type OrderFinder,
  type OrderId,
  orderIdOf,
  outcomeOf,
} from '@placeorder/store'
import { before, type Deadlines } from './deadlines.ts'

export type InquireOrderDeps = {
  finder: Pick<OrderFinder, 'find'>
  durability: Pick<Durability, 'replicated' | 'absent'>
  deadlines: Deadlines
  waitMs: number
}

/**
 * Returns the state of an order. It never waits for an outcome; an order of another psp does not
 * exist for the caller. Rejects when the order cannot be found out about in time, or too few
 * replicas confirm what is: a master that was replaced by a failover may lack an order, or its
 * outcome.
 */
export function inquireOrder(
  { acquirerId, pspId, paymentId }: InquiryOrderRequest,
  { finder, durability, deadlines, waitMs }: InquireOrderDeps,
): Promise<InquiryOrderAnswer> {
  return deadlines.within(waitMs, async (signal) => {
    const orderId = orderIdOf({ acquirerId, paymentId })
    const found = await before(finder.find(orderId), signal)
    if (!(await before(isSure(orderId, found, durability), signal)))
      throw new Error('too few replicas have what would be answered about the order')
    if (found?.pspId !== pspId) return orderNotExist
    return inquiryAnswer(found.state)
  })
}

/** Whether no failover undoes what was found. The archive has nothing that can be undone. */
async function isSure(
  orderId: OrderId,
  found: FoundOrder | undefined,
  durability: InquireOrderDeps['durability'],
): Promise<boolean> {
  if (found === undefined) return durability.absent(orderId)
  if (found.archived) return true
  const { outcome, passThroughInfo, paymentRequestId } = found.state
  const kept = outcome && outcomeOf(outcome, passThroughInfo)
  return durability.replicated(orderId, kept, paymentRequestId)
}
