import type { z } from 'zod'
import type { Amount } from './amount.ts'
import { message, text } from './fields.ts'
import { type Result, resultOf } from './place-order.ts'
import type { ResultCode } from './result-code.ts'
import { formatTime } from './time.ts'

export const InquiryOrderRequest = message({ acquirerId: text(64), pspId: text(64), paymentId: text(64) })
export type InquiryOrderRequest = z.output<typeof InquiryOrderRequest>

/** How an order stands, as an inquiry tells it. Times in ms. */
export type OrderState = {
  paymentId: string
  paymentRequestId: string
  order: { paymentAmount: Amount; settlementAmount: Amount }
  claimedAt: number
  outcome: ResultCode | undefined
  concludedAt: number | undefined
}

/** The response of inquiryOrder: `result` is the call's own, `orderResult` the order's. */
export type InquiryOrderAnswer = {
  result: Result
  orderResult?: Result
  paymentId?: string
  paymentRequestId?: string
  paymentAmount?: Amount
  settlementAmount?: Amount
  acceptedTime?: string
  concludedTime?: string
}

/** There is no such order, for this caller. Not a code of placeOrder. */
export const orderNotExist: InquiryOrderAnswer = {
  result: { resultCode: 'ORDER_NOT_EXIST', resultStatus: 'F', resultMessage: 'The order does not exist.' },
}

/** What an inquiry answers for an order; an open one is PAYMENT_IN_PROCESS. */
export function inquiryAnswer(state: OrderState): InquiryOrderAnswer {
  const { order, outcome, claimedAt, concludedAt } = state
  return {
    result: resultOf('SUCCESS'),
    orderResult: resultOf(outcome ?? 'PAYMENT_IN_PROCESS'),
    paymentId: state.paymentId,
    paymentRequestId: state.paymentRequestId,
    paymentAmount: order.paymentAmount,
    settlementAmount: order.settlementAmount,
    acceptedTime: formatTime(claimedAt),
    ...(concludedAt === undefined ? {} : { concludedTime: formatTime(concludedAt) }),
  }
}
