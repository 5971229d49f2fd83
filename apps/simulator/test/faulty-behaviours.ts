import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import {
  answer,
  formatTime,
  inquiryAnswer,
  orderNotExist,
  type PlaceOrderRequest,
  parseRequestTime,
  parseSignatureHeader,
  Refusal,
  termsOf,
  UNKNOWN_CLIENT,
} from '@placeorder/protocol'
import {
  type AcceptedOrder,
  type AcceptedOrders,
  type Behaviours,
  codeValue,
  referenceBehaviours,
} from './reference-behaviours.ts'

/** An acquirer with one fault, and the case that finds it. */
export type FaultyAcquirer = { what: string; caughtBy: string; behaviours: Partial<Behaviours> }

const faulty = (
  what: string,
  caughtBy: string,
  behaviours: Partial<Behaviours>,
): FaultyAcquirer => ({
  what,
  caughtBy,
  behaviours,
})

const jsonOf = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString())
const codeOf = (reply: object): string => ('result' in reply ? JSON.stringify(reply.result) : '')
const isRefusal = (reply: object): boolean => /"F"|"U"/.test(codeOf(reply))

/** Parses a body after repairing it. */
const parseRepaired =
  (repair: (body: Record<string, unknown>) => Record<string, unknown>) =>
  (body: Buffer): PlaceOrderRequest =>
    referenceBehaviours.parse(repaired(body, repair))

function repaired(
  body: Buffer,
  repair: (body: Record<string, unknown>) => Record<string, unknown>,
): Buffer {
  try {
    return Buffer.from(JSON.stringify(repair(jsonOf(body))))
  } catch {
    return body
  }
}

const withAmounts = (read: (value: unknown) => unknown) => (body: Record<string, unknown>) => {
  const amount = (name: string) => {
    const { [name]: of } = body
    return typeof of === 'object' && of !== null && 'value' in of
      ? { ...of, value: read(of.value) }
      : of
  }
  return {
    ...body,
    paymentAmount: amount('paymentAmount'),
    settlementAmount: amount('settlementAmount'),
  }
}

/** Accepts values of this form as numbers. */
const readsNumbers = (form: RegExp) =>
  parseRepaired(
    withAmounts((value) => (form.test(`${value}`) ? `${BigInt(Number(value))}` : value)),
  )

/** What some faulty acquirers remember, by paymentId. */
const abandoned = new Set<string>()
const refused = new Set<string>()

const copy = (stored: AcceptedOrder): AcceptedOrder => ({
  ...stored,
  paymentRequestId: randomUUID(),
})

const storingFaults: FaultyAcquirer[] = [
  faulty('forgets orders', 'idempotency/in-turn', {
    store: (_orders, _paymentId, fresh) => copy(fresh()),
  }),
  faulty('gives a repeat another paymentRequestId', 'idempotency/one-connection', {
    store: (orders, id, fresh) =>
      orders.has(id)
        ? copy(orders.get(id) ?? fresh())
        : referenceBehaviours.store(orders, id, fresh),
  }),
  faulty('places copies that arrive at the same moment', 'idempotency/at-once', {
    store: async (orders, id, fresh) => {
      const stored = orders.get(id)
      await pause(20)
      if (stored !== undefined) return stored
      orders.set(id, copy(fresh()))
      return orders.get(id) ?? fresh()
    },
  }),
  faulty('answers F and then S', 'idempotency/refusal-stands', {
    store: (orders, id, fresh) => {
      if (orders.get(id)?.outcome !== 'SUCCESS') orders.delete(id)
      return referenceBehaviours.store(orders, id, fresh)
    },
  }),
  faulty('remembers the last ten orders', 'idempotency/to-the-end', {
    store: (orders, id, fresh) => {
      const [oldest] = orders.keys()
      if (orders.size >= 10 && oldest !== undefined && !orders.has(id)) orders.delete(oldest)
      return orders.get(id) ?? referenceBehaviours.store(orders, id, () => copy(fresh()))
    },
  }),
  faulty('loses the order when the connection is dropped', 'connections/dropped-repeat', {
    store: (orders, id, fresh) =>
      orders.get(id) ?? referenceBehaviours.store(orders, id, () => copy(fresh())),
    dropped: (orders, id) => void orders.delete(id),
    delayMs: () => 15,
  }),
  faulty('places again when the connection was dropped', 'inquiry/after-drop', {
    store: (orders, id, fresh) =>
      abandoned.has(id) ? copy(fresh()) : referenceBehaviours.store(orders, id, fresh),
    dropped: (_orders, id) => void abandoned.add(id),
    delayMs: () => 15,
  }),
  faulty('lets a refused repeat change the order', 'idempotency/changed-and-back', {
    inconsistent: (_orders, stored, { terms }) => {
      stored.terms = terms
      return answer('REPEAT_REQ_INCONSISTENT')
    },
  }),
  faulty('answers a refused repeat with the order', 'idempotency/changed-amount', {
    inconsistent: (_orders, stored) => referenceBehaviours.reply(stored),
  }),
  faulty('never ends an open order', 'pending/ends', {
    reply: ({ openUntil, claimedAt, outcome, paymentRequestId }) =>
      answer(openUntil > claimedAt ? 'PAYMENT_IN_PROCESS' : outcome, paymentRequestId),
  }),
  faulty('answers an open order as failed', 'pending/open', {
    reply: ({ openUntil, outcome, paymentRequestId }) =>
      answer(Date.now() < openUntil ? 'PROCESS_FAIL' : outcome, paymentRequestId),
  }),
  faulty('forgets an open order', 'pending/copies-of-open', {
    store: (orders, id, fresh) => {
      const stored = orders.get(id)
      if (stored !== undefined && stored.openUntil > stored.claimedAt) return copy(stored)
      return referenceBehaviours.store(orders, id, fresh)
    },
  }),
]

const comparingFaults: FaultyAcquirer[] = [
  faulty('does not compare paymentAmount', 'idempotency/changed-amount', {
    terms: ({ settlementAmount, paymentRequestId }) =>
      JSON.stringify([settlementAmount, paymentRequestId]),
  }),
  faulty('does not compare settlementAmount', 'idempotency/changed-settlement', {
    terms: ({ paymentAmount, paymentRequestId }) =>
      JSON.stringify([paymentAmount, paymentRequestId]),
  }),
  faulty('does not compare paymentRequestId', 'idempotency/changed-request-id', {
    terms: ({ paymentAmount, settlementAmount }) =>
      JSON.stringify([paymentAmount, settlementAmount]),
  }),
  faulty('does not compare currencies', 'idempotency/changed-currency', {
    terms: ({ paymentAmount, settlementAmount, paymentRequestId }) =>
      JSON.stringify([paymentAmount.value, settlementAmount.value, paymentRequestId]),
  }),
  faulty('compares the merchant too', 'idempotency/other-merchant', {
    terms: (order) => `${termsOf(order)} ${order.merchant.referenceMerchantId}`,
  }),
  faulty('compares the whole body', 'idempotency/written-otherwise', {
    terms: (_order, body) => body.toString('hex'),
  }),
  faulty('distinguishes null from absent', 'idempotency/null-after-absent', {
    terms: (order, body) => `${termsOf(order)} ${jsonOf(body).paymentRequestId}`,
  }),
  faulty('compares amounts as numbers', 'amounts/every-digit', {
    terms: ({ paymentAmount, settlementAmount, paymentRequestId }) =>
      [
        Number(paymentAmount.value),
        paymentAmount.currency,
        Number(settlementAmount.value),
        paymentRequestId,
      ].join(' '),
  }),
]

const bodyFaults: FaultyAcquirer[] = [
  faulty('refuses fields it does not know', 'structure/unknown-fields', {
    parse: (body) => {
      if ('tomorrow' in jsonOf(body)) throw new Refusal('PARAM_ILLEGAL', 'unknown field')
      return referenceBehaviours.parse(body)
    },
  }),
  faulty('accepts ""', 'fields/customerId-empty', {
    parse: parseRepaired(({ customerId, ...rest }) =>
      customerId === '' ? rest : { ...rest, customerId },
    ),
  }),
  faulty('truncates what is too long', 'fields/passThroughInfo-too-long', {
    parse: parseRepaired(({ passThroughInfo, ...rest }) =>
      typeof passThroughInfo === 'string'
        ? { ...rest, passThroughInfo: passThroughInfo.slice(0, 2000) }
        : { ...rest, passThroughInfo },
    ),
  }),
  faulty('accepts only the operating systems it knows', 'fields/env-kinds', {
    parse: (body) => {
      const order = referenceBehaviours.parse(body)
      if (!['IOS', 'ANDROID', undefined].includes(order.env.osType))
        throw new Refusal('PARAM_ILLEGAL', 'an unknown osType')
      return order
    },
  }),
  faulty('accepts U+0000', 'fields/nul', {
    parse: (body) =>
      referenceBehaviours.parse(Buffer.from(body.toString().replaceAll('\\u0000', ' '))),
  }),
  faulty('counts bytes', 'structure/characters-counted', {
    parse: (body) => {
      const order = referenceBehaviours.parse(body)
      if (Buffer.byteLength(order.merchant.merchantName ?? '') > 256)
        throw new Refusal('PARAM_ILLEGAL', 'too long')
      return order
    },
  }),
  faulty('accepts 1e2', 'amounts/exponent', { parse: readsNumbers(/^\de\d$/) }),
  faulty('accepts leading zeros', 'amounts/leading-zero', { parse: readsNumbers(/^0\d+$/) }),
  faulty('accepts numbers for strings', 'amounts/number', {
    parse: parseRepaired(withAmounts((value) => (typeof value === 'number' ? `${value}` : value))),
  }),
  faulty('accepts bodies that are not UTF-8', 'structure/not-utf8', {
    parse: (body) => referenceBehaviours.parse(Buffer.from(body.toString())),
  }),
  faulty('stores malformed messages', 'idempotency/refused-at-the-endpoint', {
    store: (orders, id, fresh) => orders.get(id) ?? referenceBehaviours.store(orders, id, fresh),
    parse: (body) => {
      const { paymentId, codeValue } = jsonOf(body)
      if (codeValue === '') refused.add(`${paymentId}`)
      if (refused.has(`${paymentId}`)) throw new Refusal('PARAM_ILLEGAL', 'refused before')
      return referenceBehaviours.parse(body)
    },
  }),
  faulty('does not compare the two amounts', 'amounts/settlement-differs', {
    judge: (order, orders) =>
      referenceBehaviours.judge({ ...order, settlementAmount: order.paymentAmount }, orders),
  }),
  faulty('accepts any code', 'codes/unknown-code', {
    judge: (order, orders) => referenceBehaviours.judge({ ...order, codeValue }, orders),
  }),
]
const headerFaults: FaultyAcquirer[] = [
  faulty('matches header names by case', 'headers/lower-case', {
    header: (rawHeaders, name) =>
      rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1] === name),
  }),
  faulty('uses the first of two signatures', 'headers/second-signature', {
    header: (rawHeaders, name) => referenceBehaviours.header(rawHeaders, name).slice(0, 1),
  }),
  faulty('accepts ISO times only', 'headers/time-epoch', {
    isTime: (value) => value.includes('T') && parseRequestTime(value) !== undefined,
  }),
  faulty('accepts any time', 'headers/time-words', { isTime: () => true }),
  faulty('requires Content-Type', 'headers/no-content-type', {
    media: (contentType, accept) => referenceBehaviours.media(contentType ?? 'missing', accept),
  }),
  faulty('requires JSON in Accept literally', 'headers/accept-text', {
    media: (contentType, accept) => {
      if (accept !== undefined && !/json|\*\/\*/.test(accept))
        throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'only JSON')
      referenceBehaviours.media(contentType, accept)
    },
  }),
  faulty('requires seconds in times', 'headers/time-whole-minutes', {
    isTime: (value) => !/T\d\d:\d\d\D/.test(value) && parseRequestTime(value) !== undefined,
  }),
  faulty('accepts any media type', 'headers/content-type-xml', { media: () => {} }),
]

const verifyingFaults: FaultyAcquirer[] = [
  faulty('accepts any signature', 'signature/another-key', { isSigned: () => true }),
  faulty('verifies a re-serialized body', 'signature/body-as-sent', {
    verified: ({ target, body }) => {
      try {
        return { target, body: Buffer.from(JSON.stringify(jsonOf(body))) }
      } catch {
        return { target, body }
      }
    },
  }),
  faulty('does not verify the query', 'signature/query', {
    verified: ({ target, body }) => ({ target: target.split('?')[0] ?? '', body }),
  }),
  faulty('does not know base64url', 'signature/base64url', { signature: readsEncoding(/[-_]/) }),
  faulty('does not know lower-case hex', 'signature/percent-lower-case', {
    signature: readsEncoding(/%[0-9a-f]?[a-f]/),
  }),
  faulty('reads + as a space', 'signature/base64', { signature: readsEncoding(/\+/) }),
  faulty('requires padding', 'signature/base64url', { signature: readsEncoding(/[^=D]$/) }),
  faulty('requires keyVersion', 'signature/key-version-missing', {
    signature: (value) => (value.includes('keyVersion') ? parseSignatureHeader(value) : undefined),
  }),
  faulty('does not know quotes', 'signature/pairs-quoted', {
    signature: (value) => (value.includes('"') ? undefined : parseSignatureHeader(value)),
  }),
  faulty('requires the pairs in order', 'signature/pairs-reordered', {
    signature: (value) => (value.startsWith('algorithm') ? parseSignatureHeader(value) : undefined),
  }),
]

/** Rejects signatures in this encoding. */
function readsEncoding(unreadable: RegExp): Behaviours['signature'] {
  return (value) => {
    const header = parseSignatureHeader(value)
    const written = /signature=([^,]*)/.exec(value)?.[1] ?? ''
    return header !== undefined && unreadable.test(written)
      ? { ...header, signature: Buffer.alloc(256) }
      : header
  }
}

const renamed =
  (change: (result: Record<string, unknown>) => Record<string, unknown>): Behaviours['bytes'] =>
  (reply) => {
    const { result, ...rest } = jsonOf(referenceBehaviours.bytes(reply))
    const body =
      typeof result === 'object' && result !== null
        ? { ...rest, result: change({ ...result }) }
        : rest
    return Buffer.from(JSON.stringify(body))
  }

const answerFaults: FaultyAcquirer[] = [
  faulty('signs another serialization of the body', 'answers/signed', {
    bytes: (reply) => Buffer.from(JSON.stringify(reply, null, 2)),
    signedBytes: (bytes) => Buffer.from(JSON.stringify(jsonOf(bytes))),
  }),
  faulty('signs another time than it sends', 'answers/signed', {
    answerHeaders: (headers) => ({ ...headers, 'Response-Time': formatTime(Date.now() + 1_000) }),
  }),
  faulty('does not sign refusals', 'answers/refusals-signed', {
    answerHeaders: ({ Signature, ...rest }, reply) =>
      isRefusal(reply) ? rest : { ...rest, Signature: Signature ?? '' },
  }),
  faulty('answers refusals with HTTP 500', 'answers/status-200', {
    httpStatus: (reply) => (isRefusal(reply) ? 500 : 200),
  }),
  faulty('sends no Response-Time', 'answers/response-time', {
    answerHeaders: ({ 'Response-Time': _time, ...rest }) => rest,
  }),
  faulty('answers with another Client-Id', 'answers/client-id', {
    answerHeaders: (headers) => ({ ...headers, 'Client-Id': 'SANDBOX_another' }),
  }),
  faulty('signs whatever Client-Id it is sent', 'answers/client-id', {
    addressee: (named) => named,
  }),
  faulty('answers a client it knows as UNKNOWN', 'answers/client-id', {
    addressee: () => UNKNOWN_CLIENT,
  }),
  faulty('sends another Content-Type', 'answers/content-type', {
    answerHeaders: (headers) => ({ ...headers, 'Content-Type': 'text/plain' }),
  }),
  faulty('uses a code of its own', 'answers/codes', {
    bytes: renamed((result) =>
      result.resultCode === 'PARAM_ILLEGAL' ? { ...result, resultCode: 'BAD_REQUEST' } : result,
    ),
  }),
  faulty('answers a refusal with status S', 'answers/statuses', {
    bytes: renamed((result) =>
      result.resultCode === 'INVALID_SIGNATURE' ? { ...result, resultStatus: 'S' } : result,
    ),
  }),
  faulty('uses messages of its own', 'answers/messages', {
    bytes: renamed((result) => ({ ...result, resultMessage: 'Oops' })),
  }),
  faulty('places without a paymentRequestId', 'answers/request-id', {
    bytes: (reply) => Buffer.from(JSON.stringify({ ...reply, paymentRequestId: null })),
  }),
  faulty('answers with numbers', 'answers/strings', {
    bytes: (reply) => Buffer.from(JSON.stringify({ ...reply, retryAfterMs: 100 })),
  }),
  faulty('answers later than it may', 'answers/in-time', {
    delayMs: (reply) => (codeOf(reply).includes('ORDER_NOT_EXIST') ? 700 : 0),
  }),
]

const inquiryFaults: FaultyAcquirer[] = [
  faulty('answers an unknown order as open', 'inquiry/unknown', {
    inquired: (orders, inquiry) =>
      orders.has(inquiry.paymentId)
        ? referenceBehaviours.inquired(orders, inquiry)
        : answer('PAYMENT_IN_PROCESS'),
  }),
  faulty('answers inquiries of anybody', 'inquiry/another-psp', {
    inquired: (orders, { paymentId }) => {
      const stored = orders.get(paymentId)
      return stored === undefined
        ? orderNotExist
        : inquiryAnswer({ ...stored, paymentId, concludedAt: undefined })
    },
  }),
  faulty('answers an open order as unknown', 'pending/inquired-while-open', {
    inquired: (orders: AcceptedOrders, inquiry) => {
      const stored = orders.get(inquiry.paymentId)
      return stored !== undefined && Date.now() < stored.openUntil
        ? orderNotExist
        : referenceBehaviours.inquired(orders, inquiry)
    },
  }),
]

export const faultyAcquirers: readonly FaultyAcquirer[] = [
  ...storingFaults,
  ...comparingFaults,
  ...bodyFaults,
  ...headerFaults,
  ...verifyingFaults,
  ...answerFaults,
  ...inquiryFaults,
]
