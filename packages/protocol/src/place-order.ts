import { z } from 'zod'
import { Amount } from './amount.ts'
import { identifier, message, optional, text } from './fields.ts'
import { Env, Merchant } from './parties.ts'
import { Quote } from './quote.ts'
import { messageOf, type ResultCode, resultCodes, statusOf } from './result-code.ts'

/**
 * The request of placeOrder, with all fields, lengths and rules of placeOrder.txt. Null counts as
 * absent.
 */
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

/** The result of a call: a code with its status and message. */
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

/** What is passed through with an answer. What Alipay+ does with it is agreed with them. */
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

/** The answer with `code`. Only SUCCESS has our paymentRequestId. */
export function answer(
  code: ResultCode,
  paymentRequestId?: string,
  passThroughInfo?: string,
): PlaceOrderAnswer {
  const response: PlaceOrderAnswer = { result: resultOf(code) }
  if (code === 'SUCCESS' && paymentRequestId !== undefined)
    response.paymentRequestId = paymentRequestId
  if (passThroughInfo !== undefined) response.passThroughInfo = passThroughInfo
  return response
}

/**
 * The parameters in which a repeat must be equal (placeOrder.txt: paymentRequestId, paymentAmount,
 * settlementAmount), as one text.
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

/** The amounts in a text that `termsOf` has made. */
export function amountsIn(
  terms: string,
): Pick<PlaceOrderRequest, 'paymentAmount' | 'settlementAmount'> {
  const [value, currency, settlementValue, settlementCurrency] = terms.split(' ')
  return {
    paymentAmount: Amount.parse({ value, currency }),
    settlementAmount: Amount.parse({ value: settlementValue, currency: settlementCurrency }),
  }
}
