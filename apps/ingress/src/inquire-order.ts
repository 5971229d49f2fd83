import {
  type InquiryOrderAnswer,
  type InquiryOrderRequest,
  inquiryAnswer,
  orderNotExist,
} from '@placeorder/protocol'
import { type Durability, type Orders, orderIdOf, outcomeOf } from '@placeorder/store'
import { before, type Deadlines } from './deadlines.ts'

export type InquireOrderDeps = {
  orders: Pick<Orders, 'record'>
  durability: Pick<Durability, 'replicated' | 'absent'>
  deadlines: Deadlines
  waitMs: number
}

/**
 * Returns the state of an order. It never waits for an outcome; an order of another psp does not
 * exist for the caller. Rejects when the record cannot be read in time, or too few replicas confirm
 * it: a master that was replaced by a failover may lack an order, or its outcome.
 */
export function inquireOrder(
  { acquirerId, pspId, paymentId }: InquiryOrderRequest,
  { orders, durability, deadlines, waitMs }: InquireOrderDeps,
): Promise<InquiryOrderAnswer> {
  return deadlines.within(waitMs, async (signal) => {
    const orderId = orderIdOf({ acquirerId, paymentId })
    const record = await before(orders.record(orderId), signal)
    const outcome = record?.outcome && outcomeOf(record.outcome, record.passThroughInfo)
    const isSure =
      record === undefined
        ? durability.absent(orderId)
        : durability.replicated(orderId, outcome, record.paymentRequestId)
    if (!(await before(isSure, signal)))
      throw new Error('too few replicas have what would be answered about the order')
    if (record?.order.pspId !== pspId) return orderNotExist
    return inquiryAnswer({ paymentId, ...record })
  })
}
