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
import { type Kept, type Orders, referenceBehaviours, type Ways } from './reference-behaviours.ts'

/** A way of being wrong, and the case made for it. */
export type Wrong = { what: string; caughtBy: string; ways: Partial<Ways> }

const wrong = (what: string, caughtBy: string, ways: Partial<Ways>): Wrong => ({
  what,
  caughtBy,
  ways,
})

const jsonOf = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString())
const codeOf = (told: object): string => ('result' in told ? JSON.stringify(told.result) : '')
const isRefusal = (told: object): boolean => /"F"|"U"/.test(codeOf(told))

/** The right reading of a body in which something was put right first. */
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

/** An acquirer that takes such values for numbers. */
const readsNumbers = (form: RegExp) =>
  parseRepaired(
    withAmounts((value) => (form.test(`${value}`) ? `${BigInt(Number(value))}` : value)),
  )

/** What some of them remember, by paymentId. */
const abandoned = new Set<string>()
const refused = new Set<string>()

const copy = (kept: Kept): Kept => ({ ...kept, paymentRequestId: randomUUID() })

const takesOrders: Wrong[] = [
  wrong('forgets orders', 'idempotency/in-turn', {
    take: (_orders, _paymentId, fresh) => copy(fresh()),
  }),
  wrong('gives a repeat another paymentRequestId', 'idempotency/one-connection', {
    take: (orders, id, fresh) =>
      orders.has(id)
        ? copy(orders.get(id) ?? fresh())
        : referenceBehaviours.take(orders, id, fresh),
  }),
  wrong('places copies that come at the same moment', 'idempotency/at-once', {
    take: async (orders, id, fresh) => {
      const kept = orders.get(id)
      await pause(20)
      if (kept !== undefined) return kept
      orders.set(id, copy(fresh()))
      return orders.get(id) ?? fresh()
    },
  }),
  wrong('answers F and then S', 'idempotency/refusal-stands', {
    take: (orders, id, fresh) => {
      if (orders.get(id)?.outcome !== 'SUCCESS') orders.delete(id)
      return referenceBehaviours.take(orders, id, fresh)
    },
  }),
  wrong('remembers the last ten orders', 'idempotency/to-the-end', {
    take: (orders, id, fresh) => {
      const [oldest] = orders.keys()
      if (orders.size >= 10 && oldest !== undefined && !orders.has(id)) orders.delete(oldest)
      return orders.get(id) ?? referenceBehaviours.take(orders, id, () => copy(fresh()))
    },
  }),
  wrong('loses the order when the connection is dropped', 'connections/dropped-repeat', {
    take: (orders, id, fresh) =>
      orders.get(id) ?? referenceBehaviours.take(orders, id, () => copy(fresh())),
    dropped: (orders, id) => void orders.delete(id),
    delayMs: () => 15,
  }),
  wrong('places again when the connection was dropped', 'inquiry/after-drop', {
    take: (orders, id, fresh) =>
      abandoned.has(id) ? copy(fresh()) : referenceBehaviours.take(orders, id, fresh),
    dropped: (_orders, id) => void abandoned.add(id),
    delayMs: () => 15,
  }),
  wrong('lets a refused repeat change the order', 'idempotency/changed-and-back', {
    inconsistent: (_orders, kept, { terms }) => {
      kept.terms = terms
      return answer('REPEAT_REQ_INCONSISTENT')
    },
  }),
  wrong('answers a refused repeat with the order', 'idempotency/changed-amount', {
    inconsistent: (_orders, kept) => referenceBehaviours.told(kept),
  }),
  wrong('never ends an open order', 'pending/ends', {
    told: ({ openUntil, claimedAt, outcome, paymentRequestId }) =>
      answer(openUntil > claimedAt ? 'PAYMENT_IN_PROCESS' : outcome, paymentRequestId),
  }),
  wrong('calls an open order failed', 'pending/open', {
    told: ({ openUntil, outcome, paymentRequestId }) =>
      answer(Date.now() < openUntil ? 'PROCESS_FAIL' : outcome, paymentRequestId),
  }),
  wrong('forgets an open order', 'pending/copies-of-open', {
    take: (orders, id, fresh) => {
      const kept = orders.get(id)
      if (kept !== undefined && kept.openUntil > kept.claimedAt) return copy(kept)
      return referenceBehaviours.take(orders, id, fresh)
    },
  }),
]

const comparesTerms: Wrong[] = [
  wrong('does not compare paymentAmount', 'idempotency/changed-amount', {
    terms: ({ settlementAmount, paymentRequestId }) =>
      JSON.stringify([settlementAmount, paymentRequestId]),
  }),
  wrong('does not compare settlementAmount', 'idempotency/changed-settlement', {
    terms: ({ paymentAmount, paymentRequestId }) =>
      JSON.stringify([paymentAmount, paymentRequestId]),
  }),
  wrong('does not compare paymentRequestId', 'idempotency/changed-request-id', {
    terms: ({ paymentAmount, settlementAmount }) =>
      JSON.stringify([paymentAmount, settlementAmount]),
  }),
  wrong('does not compare currencies', 'idempotency/changed-currency', {
    terms: ({ paymentAmount, settlementAmount, paymentRequestId }) =>
      JSON.stringify([paymentAmount.value, settlementAmount.value, paymentRequestId]),
  }),
  wrong('compares the merchant too', 'idempotency/other-merchant', {
    terms: (order) => `${termsOf(order)} ${order.merchant.referenceMerchantId}`,
  }),
  wrong('compares the whole body', 'idempotency/written-otherwise', {
    terms: (_order, body) => body.toString('hex'),
  }),
  wrong('tells null from absent', 'idempotency/null-after-absent', {
    terms: (order, body) => `${termsOf(order)} ${jsonOf(body).paymentRequestId}`,
  }),
  wrong('compares amounts as numbers', 'amounts/every-digit', {
    terms: ({ paymentAmount, settlementAmount, paymentRequestId }) =>
      `${Number(paymentAmount.value)} ${paymentAmount.currency} ${Number(settlementAmount.value)} ${paymentRequestId}`,
  }),
]

const readsBodies: Wrong[] = [
  wrong('refuses fields it does not know', 'structure/unknown-fields', {
    parse: (body) => {
      if ('tomorrow' in jsonOf(body)) throw new Refusal('PARAM_ILLEGAL', 'unknown field')
      return referenceBehaviours.parse(body)
    },
  }),
  wrong('accepts ""', 'fields/customerId-empty', {
    parse: parseRepaired(({ customerId, ...rest }) =>
      customerId === '' ? rest : { ...rest, customerId },
    ),
  }),
  wrong('cuts what is too long', 'fields/passThroughInfo-too-long', {
    parse: parseRepaired(({ passThroughInfo, ...rest }) =>
      typeof passThroughInfo === 'string'
        ? { ...rest, passThroughInfo: passThroughInfo.slice(0, 2000) }
        : { ...rest, passThroughInfo },
    ),
  }),
  wrong('knows the systems of today', 'fields/env-kinds', {
    parse: (body) => {
      const order = referenceBehaviours.parse(body)
      if (!['IOS', 'ANDROID', undefined].includes(order.env.osType))
        throw new Refusal('PARAM_ILLEGAL', 'an unknown osType')
      return order
    },
  }),
  wrong('keeps U+0000', 'fields/nul', {
    parse: (body) =>
      referenceBehaviours.parse(Buffer.from(body.toString().replaceAll('\\u0000', ' '))),
  }),
  wrong('counts bytes', 'structure/characters-counted', {
    parse: (body) => {
      const order = referenceBehaviours.parse(body)
      if (Buffer.byteLength(order.merchant.merchantName ?? '') > 256)
        throw new Refusal('PARAM_ILLEGAL', 'too long')
      return order
    },
  }),
  wrong('accepts 1e2', 'amounts/exponent', { parse: readsNumbers(/^\de\d$/) }),
  wrong('accepts leading zeros', 'amounts/leading-zero', { parse: readsNumbers(/^0\d+$/) }),
  wrong('accepts numbers for strings', 'amounts/number', {
    parse: parseRepaired(withAmounts((value) => (typeof value === 'number' ? `${value}` : value))),
  }),
  wrong('reads what is no UTF-8', 'structure/not-utf8', {
    parse: (body) => referenceBehaviours.parse(Buffer.from(body.toString())),
  }),
  wrong('keeps what it refused for its form', 'idempotency/refused-at-the-endpoint', {
    take: (orders, id, fresh) => orders.get(id) ?? referenceBehaviours.take(orders, id, fresh),
    parse: (body) => {
      const { paymentId, codeValue } = jsonOf(body)
      if (codeValue === '') refused.add(`${paymentId}`)
      if (refused.has(`${paymentId}`)) throw new Refusal('PARAM_ILLEGAL', 'refused before')
      return referenceBehaviours.parse(body)
    },
  }),
  wrong('does not compare the two amounts', 'amounts/settlement-differs', {
    judge: (order, orders) =>
      referenceBehaviours.judge({ ...order, settlementAmount: order.paymentAmount }, orders),
  }),
  wrong('takes any code', 'codes/unknown-code', {
    judge: (order, orders) =>
      referenceBehaviours.judge({ ...order, codeValue: '281004132828992222233' }, orders),
  }),
]
const readsHeaders: Wrong[] = [
  wrong('knows header names in one spelling', 'headers/lower-case', {
    header: (rawHeaders, name) =>
      rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1] === name),
  }),
  wrong('takes the first of two signatures', 'headers/second-signature', {
    header: (rawHeaders, name) => referenceBehaviours.header(rawHeaders, name).slice(0, 1),
  }),
  wrong('reads ISO times alone', 'headers/time-epoch', {
    isTime: (value) => value.includes('T') && parseRequestTime(value) !== undefined,
  }),
  wrong('reads any time', 'headers/time-words', { isTime: () => true }),
  wrong('needs Content-Type', 'headers/no-content-type', {
    media: (contentType, accept) => referenceBehaviours.media(contentType ?? 'missing', accept),
  }),
  wrong('takes an Accept by its letter', 'headers/accept-text', {
    media: (contentType, accept) => {
      if (accept !== undefined && !/json|\*\/\*/.test(accept))
        throw new Refusal('MEDIA_TYPE_NOT_ACCEPTABLE', 'only JSON is spoken here')
      referenceBehaviours.media(contentType, accept)
    },
  }),
  wrong('reads times with seconds alone', 'headers/time-whole-minutes', {
    isTime: (value) => !/T\d\d:\d\d\D/.test(value) && parseRequestTime(value) !== undefined,
  }),
  wrong('takes any media type', 'headers/content-type-xml', { media: () => {} }),
]

const verifies: Wrong[] = [
  wrong('accepts any signature', 'signature/another-key', { isSigned: () => true }),
  wrong('verifies the body as it would write it', 'signature/body-as-sent', {
    verified: ({ target, body }) => {
      try {
        return { target, body: Buffer.from(JSON.stringify(jsonOf(body))) }
      } catch {
        return { target, body }
      }
    },
  }),
  wrong('does not verify the query', 'signature/query', {
    verified: ({ target, body }) => ({ target: target.split('?')[0] ?? '', body }),
  }),
  wrong('does not know base64url', 'signature/base64url', { signature: readsEncoding(/[-_]/) }),
  wrong('does not know lower-case hex', 'signature/percent-lower-case', {
    signature: readsEncoding(/%[0-9a-f]?[a-f]/),
  }),
  wrong('reads + as a blank', 'signature/base64', { signature: readsEncoding(/\+/) }),
  wrong('needs padding', 'signature/base64url', { signature: readsEncoding(/[^=D]$/) }),
  wrong('needs keyVersion', 'signature/key-version-missing', {
    signature: (value) => (value.includes('keyVersion') ? parseSignatureHeader(value) : undefined),
  }),
  wrong('does not know quotes', 'signature/pairs-quoted', {
    signature: (value) => (value.includes('"') ? undefined : parseSignatureHeader(value)),
  }),
  wrong('needs the pairs in their order', 'signature/pairs-reordered', {
    signature: (value) => (value.startsWith('algorithm') ? parseSignatureHeader(value) : undefined),
  }),
]

/** Cannot read signatures that are written in such a way. */
function readsEncoding(unreadable: RegExp): Ways['signature'] {
  return (value) => {
    const header = parseSignatureHeader(value)
    const written = /signature=([^,]*)/.exec(value)?.[1] ?? ''
    return header !== undefined && unreadable.test(written)
      ? { ...header, signature: Buffer.alloc(256) }
      : header
  }
}

const renamed =
  (change: (result: Record<string, unknown>) => Record<string, unknown>): Ways['bytes'] =>
  (told) => {
    const { result, ...rest } = jsonOf(referenceBehaviours.bytes(told))
    const body =
      typeof result === 'object' && result !== null
        ? { ...rest, result: change({ ...result }) }
        : rest
    return Buffer.from(JSON.stringify(body))
  }

const answers: Wrong[] = [
  wrong('signs the body as it would write it', 'answers/signed', {
    bytes: (told) => Buffer.from(JSON.stringify(told, null, 2)),
    signedBytes: (bytes) => Buffer.from(JSON.stringify(jsonOf(bytes))),
  }),
  wrong('signs once, and answers with another time', 'answers/signed', {
    answerHeaders: (headers) => ({ ...headers, 'Response-Time': formatTime(Date.now() + 1_000) }),
  }),
  wrong('does not sign refusals', 'answers/refusals-signed', {
    answerHeaders: ({ Signature, ...rest }, told) =>
      isRefusal(told) ? rest : { ...rest, Signature: Signature ?? '' },
  }),
  wrong('answers refusals with HTTP 500', 'answers/status-200', {
    httpStatus: (told) => (isRefusal(told) ? 500 : 200),
  }),
  wrong('does not say when it answered', 'answers/response-time', {
    answerHeaders: ({ 'Response-Time': _time, ...rest }) => rest,
  }),
  wrong('answers in the name of another', 'answers/client-id', {
    answerHeaders: (headers) => ({ ...headers, 'Client-Id': 'SANDBOX_another' }),
  }),
  wrong('signs whatever Client-Id it is sent', 'answers/client-id', {
    addressee: (named) => named,
  }),
  wrong('answers a client it knows as UNKNOWN', 'answers/client-id', {
    addressee: () => UNKNOWN_CLIENT,
  }),
  wrong('does not say that it answers in JSON', 'answers/content-type', {
    answerHeaders: (headers) => ({ ...headers, 'Content-Type': 'text/plain' }),
  }),
  wrong('has a code of its own', 'answers/codes', {
    bytes: renamed((result) =>
      result.resultCode === 'PARAM_ILLEGAL' ? { ...result, resultCode: 'BAD_REQUEST' } : result,
    ),
  }),
  wrong('calls a refusal unknown', 'answers/statuses', {
    bytes: renamed((result) =>
      result.resultCode === 'INVALID_SIGNATURE' ? { ...result, resultStatus: 'S' } : result,
    ),
  }),
  wrong('has messages of its own', 'answers/messages', {
    bytes: renamed((result) => ({ ...result, resultMessage: 'Oops' })),
  }),
  wrong('places without a paymentRequestId', 'answers/request-id', {
    bytes: (told) => Buffer.from(JSON.stringify({ ...told, paymentRequestId: null })),
  }),
  wrong('answers with numbers', 'answers/strings', {
    bytes: (told) => Buffer.from(JSON.stringify({ ...told, retryAfterMs: 100 })),
  }),
  wrong('answers later than it may', 'answers/in-time', {
    delayMs: (told) => (codeOf(told).includes('ORDER_NOT_EXIST') ? 700 : 0),
  }),
]

const inquires: Wrong[] = [
  wrong('says that an unknown order is open', 'inquiry/unknown', {
    inquired: (orders, inquiry) =>
      orders.has(inquiry.paymentId)
        ? referenceBehaviours.inquired(orders, inquiry)
        : answer('PAYMENT_IN_PROCESS'),
  }),
  wrong('tells anybody', 'inquiry/another-psp', {
    inquired: (orders, { paymentId }) => {
      const kept = orders.get(paymentId)
      return kept === undefined
        ? orderNotExist
        : inquiryAnswer({ ...kept, paymentId, concludedAt: undefined })
    },
  }),
  wrong('says that an open order is none', 'pending/inquired-while-open', {
    inquired: (orders: Orders, inquiry) => {
      const kept = orders.get(inquiry.paymentId)
      return kept !== undefined && Date.now() < kept.openUntil
        ? orderNotExist
        : referenceBehaviours.inquired(orders, inquiry)
    },
  }),
]

export const wrongAcquirers: readonly Wrong[] = [
  ...takesOrders,
  ...comparesTerms,
  ...readsBodies,
  ...readsHeaders,
  ...verifies,
  ...answers,
  ...inquires,
]
