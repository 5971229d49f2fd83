import {
  type InquiryOrderAnswer,
  type InquiryOrderRequest,
  inquiryAnswer,
  orderNotExist,
} from '@placeorder/protocol'
import { type Durability, type Orders, orderIdOf } from '@placeorder/store'
import { before, type Waits } from './waits.ts'

export type InquireOrderDeps = {
  orders: Pick<Orders, 'record'>
  durability: Pick<Durability, 'replicated'>
  waits: Waits
  waitMs: number
}

/**
 * Tells how an order stands. It reads and never waits for an outcome; an order of another psp does not exist
 * for the caller. Rejects when the record cannot be read in time, or too few replicas have it for it to be told.
 */
export function inquireOrder(
  { acquirerId, pspId, paymentId }: InquiryOrderRequest,
  { orders, durability, waits, waitMs }: InquireOrderDeps,
): Promise<InquiryOrderAnswer> {
  return waits.within(waitMs, async (signal) => {
    const orderId = orderIdOf({ acquirerId, paymentId })
    const record = await before(orders.record(orderId), signal)
    if (record === undefined || record.order.pspId !== pspId) return orderNotExist
    if (!(await before(durability.replicated(orderId, record.outcome), signal)))
      throw new Error('too few replicas have what would be told of the order')
    return inquiryAnswer({ paymentId, ...record })
  })
}
