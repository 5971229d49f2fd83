import type { KeyObject } from 'node:crypto'
import {
  answer,
  checkMedia,
  InquiryOrderRequest,
  inquiryAnswer,
  isResultCode,
  orderNotExist,
  PlaceOrderRequest,
  parseBody,
  parseRequestTime,
  parseSignatureHeader,
  type ResultCode,
  type SignatureHeader,
  termsOf,
  UNKNOWN_CLIENT,
  verify,
} from '@placeorder/protocol'

/** An order that was taken in. It is open until `openUntil`, in ms since 1970. */
export type Kept = {
  order: PlaceOrderRequest
  terms: string
  paymentRequestId: string
  outcome: ResultCode
  claimedAt: number
  openUntil: number
}
export type Orders = Map<string, Kept>

/** What the small acquirer does at each step; every one of them can be replaced by a wrong one. */
export type Ways = {
  /** The values of a header, as often as it is there; names and values in turn, as received. */
  header: (rawHeaders: readonly string[], name: string) => string[]
  media: (contentType: string | undefined, accept: string | undefined) => void
  isTime: (value: string) => boolean
  signature: (value: string) => SignatureHeader | undefined
  /** What of the request is verified. */
  verified: (signed: { target: string; body: Buffer }) => { target: string; body: Buffer }
  isSigned: (text: Buffer, key: KeyObject, signature: Buffer) => boolean
  parse: (body: Buffer) => PlaceOrderRequest
  parseInquiry: (body: Buffer) => InquiryOrderRequest
  terms: (order: PlaceOrderRequest, body: Buffer) => string
  judge: (order: PlaceOrderRequest, orders: Orders) => ResultCode
  /** Keeps an order, or finds what was kept. */
  take: (orders: Orders, paymentId: string, fresh: () => Kept) => Kept | Promise<Kept>
  /** What is told of an order that agrees with the one kept. */
  told: (kept: Kept) => object
  inconsistent: (
    orders: Orders,
    kept: Kept,
    other: { order: PlaceOrderRequest; terms: string },
  ) => object
  inquired: (orders: Orders, inquiry: InquiryOrderRequest) => object
  /** The client went away before it was answered. */
  dropped: (orders: Orders, paymentId: string) => void
  /** What is sent, and what of it is signed. */
  bytes: (told: object) => Buffer
  signedBytes: (bytes: Buffer) => Buffer
  httpStatus: (told: object) => number
  addressee: (named: string) => string
  answerHeaders: (headers: Record<string, string>, told: object) => Record<string, string>
  delayMs: (told: object) => number
}

export const clientId = 'SANDBOX_5Y00000000000001'
export const acquirerId = '1020000000000000001'
const codeValue = '281004132828992222233'
const merchantId = 'M00000000001'

/** A merchant called M- and a result code gives it; `M-PENDING` lets orders be open for a while. */
export const pendingMerchant = 'M-PENDING'
const OPEN_MS = 400

/** So many orders of M-PAYMENT_COUNT_EXCEED_LIMIT are placed before it gives its code. */
export const COUNT_MAX = 2

const isOf = (order: PlaceOrderRequest, merchant: string) =>
  order.merchant.referenceMerchantId === merchant

function judge(order: PlaceOrderRequest, orders: Orders): ResultCode {
  const { referenceMerchantId } = order.merchant
  const named = referenceMerchantId.replace(/^M-/, '')
  if (named === 'PAYMENT_COUNT_EXCEED_LIMIT') {
    const before = [...orders.values()].filter((kept) => isOf(kept.order, referenceMerchantId))
    return before.length < COUNT_MAX ? 'SUCCESS' : named
  }
  if (isResultCode(named)) return named
  if (referenceMerchantId !== merchantId && referenceMerchantId !== pendingMerchant)
    return 'MERCHANT_NOT_REGISTERED'
  if (!['CNY', 'JPY', 'USD'].includes(order.paymentAmount.currency)) return 'CURRENCY_NOT_SUPPORT'
  if (order.codeValue !== codeValue) return 'INVALID_CODE'
  if (!isSettled(order)) return 'PAYMENT_AMOUNT_INVALID'
  return BigInt(order.paymentAmount.value) > 1_000_000n ? 'PAYMENT_AMOUNT_EXCEED_LIMIT' : 'SUCCESS'
}

function isSettled({
  paymentAmount,
  settlementAmount,
  settlementQuote,
}: PlaceOrderRequest): boolean {
  if (BigInt(paymentAmount.value) === 0n) return false
  if (paymentAmount.currency === settlementAmount.currency)
    return paymentAmount.value === settlementAmount.value
  const due = Number(paymentAmount.value) * Number(settlementQuote?.quotePrice)
  return Math.abs(due - Number(settlementAmount.value)) <= 1
}

/** Every step as the protocol has it. */
export const referenceBehaviours: Ways = {
  header: (rawHeaders, name) =>
    rawHeaders.filter(
      (_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name.toLowerCase(),
    ),
  media: checkMedia,
  isTime: (value) => parseRequestTime(value) !== undefined,
  signature: parseSignatureHeader,
  verified: (signed) => signed,
  isSigned: verify,
  parse: (body) => parseBody(PlaceOrderRequest, body),
  parseInquiry: (body) => parseBody(InquiryOrderRequest, body),
  terms: termsOf,
  judge,
  take: (orders, paymentId, fresh) => {
    const kept = orders.get(paymentId) ?? fresh()
    orders.set(paymentId, kept)
    return kept
  },
  told: ({ outcome, openUntil, paymentRequestId }) =>
    Date.now() < openUntil ? answer('PAYMENT_IN_PROCESS') : answer(outcome, paymentRequestId),
  inconsistent: () => answer('REPEAT_REQ_INCONSISTENT'),
  inquired: (orders, inquiry) => {
    const kept = orders.get(inquiry.paymentId)
    if (kept?.order.acquirerId !== inquiry.acquirerId || kept.order.pspId !== inquiry.pspId)
      return orderNotExist
    const outcome = Date.now() < kept.openUntil ? undefined : kept.outcome
    return inquiryAnswer({ ...kept, outcome, paymentId: inquiry.paymentId, concludedAt: undefined })
  },
  dropped: () => {},
  bytes: (told) => Buffer.from(JSON.stringify(told)),
  signedBytes: (bytes) => bytes,
  httpStatus: () => 200,
  addressee: (named) => (named === clientId ? clientId : UNKNOWN_CLIENT),
  answerHeaders: (headers) => headers,
  delayMs: () => 0,
}

/** How long an order like this stays open, in ms. */
export const openMs = (order: PlaceOrderRequest): number =>
  isOf(order, pendingMerchant) ? OPEN_MS : 0
