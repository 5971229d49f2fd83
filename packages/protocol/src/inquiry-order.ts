import { z } from 'zod'
import { Amount } from './amount.ts'
import { identifier, message } from './fields.ts'
import { PassThroughInfo, Result, resultOf, resultWith } from './place-order.ts'
import { type ResultCode, resultCodes } from './result-code.ts'
import { formatTime } from './time.ts'

export const InquiryOrderRequest = message({
  acquirerId: identifier(64),
  pspId: identifier(64),
  paymentId: identifier(64),
})
export type InquiryOrderRequest = z.output<typeof InquiryOrderRequest>

/** The state of an order for an inquiry. Times in ms. */
export type OrderState = {
  paymentId: string
  paymentRequestId: string
  order: { paymentAmount: Amount; settlementAmount: Amount }
  claimedAt: number
  outcome: ResultCode | undefined
  passThroughInfo?: string | undefined
  concludedAt: number | undefined
}

/** The response of inquiryOrder: `result` is the call's own, `orderResult` the order's. */
export const InquiryOrderAnswer = z.object({
  result: resultWith([...resultCodes, 'ORDER_NOT_EXIST']),
  orderResult: z.exactOptional(Result),
  paymentId: z.exactOptional(z.string()),
  paymentRequestId: z.exactOptional(z.string()),
  passThroughInfo: z.exactOptional(PassThroughInfo),
  paymentAmount: z.exactOptional(Amount),
  settlementAmount: z.exactOptional(Amount),
  acceptedTime: z.exactOptional(z.iso.datetime({ offset: true })),
  concludedTime: z.exactOptional(z.iso.datetime({ offset: true })),
})
export type InquiryOrderAnswer = z.output<typeof InquiryOrderAnswer>

/** There is no such order, for this caller. Not a code of placeOrder. */
export const orderNotExist: InquiryOrderAnswer = {
  result: {
    resultCode: 'ORDER_NOT_EXIST',
    resultStatus: 'F',
    resultMessage: 'The order does not exist.',
  },
}

/** The answer to an inquiry of an order; an open one is PAYMENT_IN_PROCESS. */
export function inquiryAnswer(state: OrderState): InquiryOrderAnswer {
  const { order, outcome, passThroughInfo, claimedAt, concludedAt } = state
  return {
    result: resultOf('SUCCESS'),
    orderResult: resultOf(outcome ?? 'PAYMENT_IN_PROCESS'),
    paymentId: state.paymentId,
    paymentRequestId: state.paymentRequestId,
    ...(passThroughInfo === undefined ? {} : { passThroughInfo }),
    paymentAmount: order.paymentAmount,
    settlementAmount: order.settlementAmount,
    acceptedTime: formatTime(claimedAt),
    ...(concludedAt === undefined ? {} : { concludedTime: formatTime(concludedAt) }),
  }
}
