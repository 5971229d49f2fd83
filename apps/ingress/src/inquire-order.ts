import {
  type InquiryOrderAnswer,
  type InquiryOrderRequest,
  inquiryAnswer,
  orderNotExist,
} from '@placeorder/protocol'
import type { Orders } from '@placeorder/store'

export type InquireOrderDeps = { orders: Pick<Orders, 'record'> }

/** Tells how an order stands. It reads and never waits; an order of another acquirer or psp does not exist for the caller. */
export async function inquireOrder(
  { acquirerId, pspId, paymentId }: InquiryOrderRequest,
  { orders }: InquireOrderDeps,
): Promise<InquiryOrderAnswer> {
  const record = await orders.record(paymentId)
  if (record === undefined || record.order.acquirerId !== acquirerId || record.order.pspId !== pspId) {
    return orderNotExist
  }
  return inquiryAnswer({ paymentId, ...record })
}
