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
import sampleOrder from '../../../config/sample-order.json' with { type: 'json' }

/** An accepted order. It is open until `openUntil`, in ms since 1970. */
export type AcceptedOrder = {
  order: PlaceOrderRequest
  terms: string
  paymentRequestId: string
  outcome: ResultCode
  claimedAt: number
  openUntil: number
}
export type AcceptedOrders = Map<string, AcceptedOrder>

/** What the small acquirer does at each step; tests replace some of them by faulty ones. */
export type Behaviours = {
  /** All values of a header; `rawHeaders` has names and values in turn, as received. */
  header: (rawHeaders: readonly string[], name: string) => string[]
  media: (contentType: string | undefined, accept: string | undefined) => void
  isTime: (value: string) => boolean
  signature: (value: string) => SignatureHeader | undefined
  /** The part of the request that is verified. */
  verified: (signed: { target: string; body: Buffer }) => { target: string; body: Buffer }
  isSigned: (text: Buffer, key: KeyObject, signature: Buffer) => boolean
  parse: (body: Buffer) => PlaceOrderRequest
  parseInquiry: (body: Buffer) => InquiryOrderRequest
  terms: (order: PlaceOrderRequest, body: Buffer) => string
  judge: (order: PlaceOrderRequest, orders: AcceptedOrders) => ResultCode
  /** Stores a new order, or returns the one that is stored. */
  store: (
    orders: AcceptedOrders,
    paymentId: string,
    fresh: () => AcceptedOrder,
  ) => AcceptedOrder | Promise<AcceptedOrder>
  /** The reply to an order that agrees with the stored one. */
  reply: (stored: AcceptedOrder) => object
  inconsistent: (
    orders: AcceptedOrders,
    stored: AcceptedOrder,
    other: { order: PlaceOrderRequest; terms: string },
  ) => object
  inquired: (orders: AcceptedOrders, inquiry: InquiryOrderRequest) => object
  /** The client went away before it was answered. */
  dropped: (orders: AcceptedOrders, paymentId: string) => void
  /** The bytes that are sent, and those that are signed. */
  bytes: (reply: object) => Buffer
  signedBytes: (bytes: Buffer) => Buffer
  httpStatus: (reply: object) => number
  addressee: (named: string) => string
  answerHeaders: (headers: Record<string, string>, reply: object) => Record<string, string>
  delayMs: (reply: object) => number
}

export const testClientId = 'SANDBOX_5Y00000000000001'
export const { acquirerId, codeValue } = sampleOrder
const merchantId = sampleOrder.merchant.referenceMerchantId

/**
 * Orders of merchant `M-<result code>` get this code; those of `M-PENDING` are open for a while.
 */
export const pendingMerchant = 'M-PENDING'
const OPEN_MS = 400

/** How many orders of M-PAYMENT_COUNT_EXCEED_LIMIT are placed before one gets this code. */
export const COUNT_MAX = 2

const isOf = (order: PlaceOrderRequest, merchant: string) =>
  order.merchant.referenceMerchantId === merchant

function judge(order: PlaceOrderRequest, orders: AcceptedOrders): ResultCode {
  const { referenceMerchantId } = order.merchant
  const named = referenceMerchantId.replace(/^M-/, '')
  if (named === 'PAYMENT_COUNT_EXCEED_LIMIT') {
    const before = [...orders.values()].filter((stored) => isOf(stored.order, referenceMerchantId))
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

/** Every step as the protocol requires it. */
export const referenceBehaviours: Behaviours = {
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
  store: (orders, paymentId, fresh) => {
    const stored = orders.get(paymentId) ?? fresh()
    orders.set(paymentId, stored)
    return stored
  },
  reply: ({ outcome, openUntil, paymentRequestId }) =>
    Date.now() < openUntil ? answer('PAYMENT_IN_PROCESS') : answer(outcome, paymentRequestId),
  inconsistent: () => answer('REPEAT_REQ_INCONSISTENT'),
  inquired: (orders, inquiry) => {
    const stored = orders.get(inquiry.paymentId)
    if (stored?.order.acquirerId !== inquiry.acquirerId || stored.order.pspId !== inquiry.pspId)
      return orderNotExist
    const outcome = Date.now() < stored.openUntil ? undefined : stored.outcome
    return inquiryAnswer({
      ...stored,
      outcome,
      paymentId: inquiry.paymentId,
      concludedAt: undefined,
    })
  },
  dropped: () => {},
  bytes: (reply) => Buffer.from(JSON.stringify(reply)),
  signedBytes: (bytes) => bytes,
  httpStatus: () => 200,
  addressee: (named) => (named === testClientId ? testClientId : UNKNOWN_CLIENT),
  answerHeaders: (headers) => headers,
  delayMs: () => 0,
}

/** How long an order like this stays open, in ms. */
export const openMs = (order: PlaceOrderRequest): number =>
  isOf(order, pendingMerchant) ? OPEN_MS : 0
