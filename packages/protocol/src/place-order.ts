import type { z } from 'zod'
import { Amount } from './amount.ts'
import { message, optional, text } from './fields.ts'
import { Env, Merchant } from './parties.ts'
import { Quote } from './quote.ts'
import { messageOf, type ResultCode, statusOf } from './result-code.ts'

/** The request of placeOrder, every field, length and rule of placeOrder.txt. Absent and null are the same. */
export const PlaceOrderRequest = message({
  acquirerId: text(64),
  pspId: text(64),
  codeValue: text(512),
  paymentId: text(64),
  paymentRequestId: optional(text(64)),
  customerId: optional(text(64)),
  paymentAmount: Amount,
  settlementAmount: Amount,
  settlementQuote: optional(Quote),
  merchant: Merchant,
  env: Env,
  passThroughInfo: optional(text(2000)),
}).refine(
  (order) =>
    order.paymentAmount.currency === order.settlementAmount.currency || order.settlementQuote !== undefined,
  { path: ['settlementQuote'], error: 'is missing: settlement and payment currency differ' },
)
export type PlaceOrderRequest = z.output<typeof PlaceOrderRequest>

/** How a call went: a code with its own status and message. */
export type Result = { resultCode: string; resultStatus: 'S' | 'F' | 'U'; resultMessage: string }

export const resultOf = (code: ResultCode): Result => ({
  resultCode: code,
  resultStatus: statusOf[code],
  resultMessage: messageOf[code],
})

/** The response of placeOrder. */
export type PlaceOrderAnswer = { result: Result; paymentRequestId?: string }

/** The answer that says `code`. Only SUCCESS carries our paymentRequestId. */
export function answer(code: ResultCode, paymentRequestId?: string): PlaceOrderAnswer {
  const result = resultOf(code)
  return code === 'SUCCESS' && paymentRequestId !== undefined ? { result, paymentRequestId } : { result }
}

/**
 * The parameters a repeat must agree in (placeOrder.txt: paymentRequestId, paymentAmount, settlementAmount), as one
 * text: two orders agree exactly if their texts are equal.
 */
export const termsOf = ({ paymentAmount, settlementAmount, paymentRequestId }: PlaceOrderRequest): string =>
  [
    paymentAmount.value,
    paymentAmount.currency,
    settlementAmount.value,
    settlementAmount.currency,
    paymentRequestId ?? '',
  ].join(' ')
