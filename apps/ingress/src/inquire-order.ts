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
 * Tells how an order stands. It reads and never waits for an outcome; an order of another psp does not exist
 * for the caller. Rejects when the record cannot be read in time, or too few replicas agree: a master that another has
 * taken the place of may know nothing of an order, or too little.
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
      record === undefined ? durability.absent(orderId) : durability.replicated(orderId, outcome)
    if (!(await before(isSure, signal)))
      throw new Error('too few replicas have what would be told of the order')
    if (record?.order.pspId !== pspId) return orderNotExist
    return inquiryAnswer({ paymentId, ...record })
  })
}
