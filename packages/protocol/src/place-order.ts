import { z } from 'zod'
import { Amount } from './amount.ts'
import { identifier, message, optional, text } from './fields.ts'
import { Env, Merchant } from './parties.ts'
import { Quote } from './quote.ts'
import { messageOf, type ResultCode, resultCodes, statusOf } from './result-code.ts'

/** The request of placeOrder, every field, length and rule of placeOrder.txt. Absent and null are the same. */
export const PlaceOrderRequest = message({
  acquirerId: identifier(64),
  pspId: identifier(64),
  codeValue: identifier(512),
  paymentId: identifier(64),
  paymentRequestId: optional(identifier(64)),
  customerId: optional(identifier(64)),
  paymentAmount: Amount,
  settlementAmount: Amount,
  settlementQuote: optional(Quote),
  merchant: Merchant,
  env: Env,
  passThroughInfo: optional(text(2000)),
}).refine(
  (order) =>
    order.paymentAmount.currency === order.settlementAmount.currency ||
    order.settlementQuote !== undefined,
  { path: ['settlementQuote'], error: 'is missing: settlement and payment currency differ' },
)
export type PlaceOrderRequest = z.output<typeof PlaceOrderRequest>

/** How a call went: a code with its own status and message. */
export const Result = resultWith(resultCodes)
export type Result = z.output<typeof Result>

/** A result with one of these codes. */
export function resultWith<C extends string>(codes: readonly C[]) {
  return z.object({
    resultCode: z.enum(codes),
    resultStatus: z.enum(['S', 'F', 'U']),
    resultMessage: z.string(),
  })
}

export const resultOf = (code: ResultCode): Result => ({
  resultCode: code,
  resultStatus: statusOf[code],
  resultMessage: messageOf[code],
})

/** What is passed through with an answer; what Alipay+ does with it is agreed with it. */
export const PassThroughInfo = identifier(2000).refine(
  (value) => !value.includes('\0'),
  'contains U+0000',
)

/** The response of placeOrder. */
export const PlaceOrderAnswer = z.object({
  result: Result,
  paymentRequestId: z.exactOptional(z.string()),
  passThroughInfo: z.exactOptional(PassThroughInfo),
})
export type PlaceOrderAnswer = z.output<typeof PlaceOrderAnswer>

/** The answer that says `code`. Only SUCCESS carries our paymentRequestId. */
export function answer(
  code: ResultCode,
  paymentRequestId?: string,
  passThroughInfo?: string,
): PlaceOrderAnswer {
  const said: PlaceOrderAnswer = { result: resultOf(code) }
  if (code === 'SUCCESS' && paymentRequestId !== undefined) said.paymentRequestId = paymentRequestId
  if (passThroughInfo !== undefined) said.passThroughInfo = passThroughInfo
  return said
}

/**
 * The parameters a repeat must agree in (placeOrder.txt: paymentRequestId, paymentAmount, settlementAmount), as one
 * text: two orders agree exactly if their texts are equal.
 */
export const termsOf = ({
  paymentAmount,
  settlementAmount,
  paymentRequestId,
}: PlaceOrderRequest): string =>
  [
    paymentAmount.value,
    paymentAmount.currency,
    settlementAmount.value,
    settlementAmount.currency,
    paymentRequestId ?? '',
  ].join(' ')
