import { describe, expect, test } from 'vitest'
import {
  checkHistory,
  type Rule,
  rules,
  type StoredOrder,
  type StoredState,
} from './check-history.ts'
import { CALLERS, type Call, type Ending, type Pause } from './history.ts'

const WAIT_MS = 1_000
const QUIET_FROM = 50_000
const terms = '100 CNY 100 CNY '
/** Outcomes that are right for P-1. */
const RIGHT = [
  'SUCCESS',
  'RISK_REJECT',
  'PAYMENT_AMOUNT_EXCEED_LIMIT',
  'PAYMENT_COUNT_EXCEED_LIMIT',
  'ORDER_IS_CLOSED',
] as const
const merchant = { counter: 'merchant', amount: 100n, amountMax: 250n, countMax: 3 }

const answered = (
  code: string,
  more: Partial<Extract<Ending, { kind: 'ANSWERED' }>> = {},
): Ending => ({
  kind: 'ANSWERED',
  status: 200,
  verified: true,
  code,
  ...(code === 'SUCCESS' ? { paymentRequestId: 'R-1' } : {}),
  ...more,
})

/** A request for P-1, sent at `sentAt` and answered 100 ms later. */
const place = (sentAt: number, ending: Ending | string, more: Partial<Call> = {}): Call => ({
  endpoint: 'place',
  orderId: 'P-1',
  ingress: 'ingress-1',
  terms,
  sentAt,
  endedAt: sentAt + 100,
  ending: typeof ending === 'string' ? answered(ending) : ending,
  ...more,
})

/** An inquiry after P-1 that is told this of the order. */
const inquire = (sentAt: number, orderCode: string, more: Partial<Call> = {}): Call =>
  place(sentAt, answered('SUCCESS', { orderCode }), { endpoint: 'inquire', terms: '', ...more })

const keptOrder = (changes: Partial<StoredOrder> = {}): StoredOrder => ({
  orderId: 'P-1',
  terms,
  paymentRequestId: 'R-1',
  outcome: 'SUCCESS',
  takes: [merchant],
  orderCode: undefined,
  ...changes,
})

/** What is kept when these orders are all there are, and all went well. */
function keptOf(orders: StoredOrder[], changes: Partial<StoredState> = {}): StoredState {
  const placed = orders.filter(({ outcome }) => outcome === 'SUCCESS')
  const counters = new Map<string, { amount: bigint; count: bigint }>()
  for (const { counter, amount } of placed.flatMap(({ takes }) => takes)) {
    const sum = counters.get(counter) ?? { amount: 0n, count: 0n }
    counters.set(counter, { amount: sum.amount + amount, count: sum.count + 1n })
  }
  return {
    orders,
    open: orders.filter(({ outcome }) => outcome === undefined).map(({ orderId }) => orderId),
    counters,
    holders: new Map(
      placed.flatMap(({ orderCode, orderId }) => (orderCode ? [[orderCode, orderId]] : [])),
    ),
    decisions: new Map(
      orders.flatMap(({ orderId, outcome }) => (outcome ? [[orderId, outcome]] : [])),
    ),
    ...changes,
  }
}

/** P-1 has one right outcome; P-slow was still open long after the last fault. */
const expected = new Map([['P-1', { terms, outcomes: RIGHT }]])
const bounds = { waitMs: WAIT_MS, quietFrom: QUIET_FROM, stillOpen: ['P-slow'] }

const broken = (calls: Call[], kept: StoredState, pauses: Pause[] = []): Rule[] => [
  ...new Set(checkHistory({ calls, pauses, expected }, kept, bounds).map(({ rule }) => rule)),
]

const placed = keptOf([keptOrder()])
const killed: Pause = { who: 'ingress-1', why: 'KILLED', from: 50, to: 2_000, ms: 1_950 }
const stopped: Pause = { who: 'ingress-1', why: 'STOPPED', from: 100, to: 2_100, ms: 2_000 }
const starved: Pause = { who: CALLERS, why: 'STARVED', from: 100, to: 2_600, ms: 500 }

describe('a history in which the promises were kept is good', () => {
  test.each<[string, Call[], StoredState, Pause[]?]>([
    ['nothing happened', [], keptOf([])],
    [
      'placed, repeated and inquired',
      [place(0, 'SUCCESS'), place(500, 'SUCCESS'), inquire(900, 'SUCCESS')],
      placed,
    ],
    ['a U first, then final', [place(0, 'PAYMENT_IN_PROCESS'), place(200, 'SUCCESS')], placed],
    [
      'a U from before the final answer arrived',
      [place(0, 'SUCCESS'), place(99, 'PAYMENT_IN_PROCESS')],
      placed,
    ],
    [
      'after a final answer, a U that says nothing of the order',
      [
        place(0, 'SUCCESS'),
        place(200, 'UNKNOWN_EXCEPTION'),
        place(400, 'REQUEST_TRAFFIC_EXCEED_LIMIT'),
      ],
      placed,
    ],
    [
      'an inquiry that could not be answered',
      [place(0, 'SUCCESS'), inquire(200, '', { ending: answered('UNKNOWN_EXCEPTION') })],
      placed,
    ],
    [
      'an inquiry on its way when the order was taken in',
      [place(0, 'SUCCESS'), inquire(50, '', { ending: answered('ORDER_NOT_EXIST') })],
      placed,
    ],
    [
      'an inconsistent repeat, refused',
      [place(0, 'SUCCESS'), place(200, 'REPEAT_REQ_INCONSISTENT', { terms: 'other' })],
      placed,
    ],
    [
      'the inconsistent one came first',
      [
        place(0, 'UNKNOWN_EXCEPTION'),
        place(10, 'SUCCESS', { terms: 'other' }),
        place(300, 'REPEAT_REQ_INCONSISTENT'),
      ],
      keptOf([keptOrder({ terms: 'other' })]),
    ],
    ['a request that was dropped, and taken in', [place(0, { kind: 'DROPPED' })], placed],
    ['a request that was dropped, and not taken in', [place(0, { kind: 'DROPPED' })], keptOf([])],
    ['refused at the endpoint', [place(0, 'REQUEST_TRAFFIC_EXCEED_LIMIT')], keptOf([])],
    [
      'no answer from a killed ingress',
      [place(0, { kind: 'BROKEN', why: 'ECONNRESET' }), place(200, { kind: 'REFUSED' })],
      placed,
      [killed],
    ],
    [
      'late by as much as the ingress was stopped',
      [place(0, 'SUCCESS', { endedAt: 3_150 })],
      placed,
      [stopped],
    ],
    [
      'late by as much as the callers got no processor',
      [place(0, 'SUCCESS', { endedAt: 1_650 })],
      placed,
      [starved],
    ],
    [
      'refused for an amount that does not fit',
      [place(0, 'SUCCESS'), place(0, 'PAYMENT_AMOUNT_EXCEED_LIMIT', { orderId: 'P-2' })],
      keptOf([
        keptOrder({ takes: [{ ...merchant, amount: 200n }] }),
        keptOrder({ orderId: 'P-2', outcome: 'PAYMENT_AMOUNT_EXCEED_LIMIT' }),
      ]),
    ],
    [
      'refused for a code that is taken',
      [place(0, 'SUCCESS'), place(0, 'ORDER_IS_CLOSED', { orderId: 'P-2' })],
      keptOf([
        keptOrder({ orderCode: 'code' }),
        keptOrder({ orderId: 'P-2', outcome: 'ORDER_IS_CLOSED', orderCode: 'code' }),
      ]),
    ],
    [
      'final at the end, after a repeat',
      [place(QUIET_FROM, 'PAYMENT_IN_PROCESS'), place(QUIET_FROM + 200, 'SUCCESS')],
      placed,
    ],
    [
      'final answers at the end',
      [place(0, 'SUCCESS'), place(QUIET_FROM, 'SUCCESS'), inquire(QUIET_FROM, 'SUCCESS')],
      placed,
    ],
  ])('%s', (_name, calls, kept, pauses) => {
    expect(broken(calls, kept, pauses)).toEqual([])
  })
})

const wrong: [Rule, string, Call[], StoredState, Pause[]?][] = [
  ['oneAnswer', 'two final answers', [place(0, 'SUCCESS'), place(200, 'RISK_REJECT')], placed],
  ['oneAnswer', 'at the same time, too', [place(0, 'SUCCESS'), place(0, 'PROCESS_FAIL', { ingress: 'ingress-2' })], placed],
  ['oneAnswer', 'an inquiry that tells another', [place(0, 'SUCCESS'), inquire(200, 'EXPIRED_CODE')], placed],
  ['oneAnswer', 'a final answer that is not what is kept', [place(0, 'INVALID_CODE')], placed],
  ['oneAnswer', 'a final answer of an order that is open', [place(0, 'SUCCESS')], keptOf([keptOrder({ outcome: undefined })])],
  ['oneAnswer', 'another paymentRequestId', [place(0, answered('SUCCESS', { paymentRequestId: 'R-2' }))], placed],
  ['oneAnswer', 'an inquiry with another paymentRequestId', [inquire(0, 'PAYMENT_IN_PROCESS', { ending: answered('SUCCESS', { orderCode: 'PAYMENT_IN_PROCESS', paymentRequestId: 'R-2' }) })], placed],
  ['oneAnswer', 'SUCCESS without a paymentRequestId', [place(0, answered('SUCCESS', { paymentRequestId: undefined }))], placed],
  ['neverBack', 'in process after a final answer', [place(0, 'SUCCESS'), place(100, 'PAYMENT_IN_PROCESS')], placed],
  ['neverBack', 'in process for an inquiry after a final answer', [place(0, 'SUCCESS'), inquire(200, 'PAYMENT_IN_PROCESS')], placed],
  ['neverBack', 'unknown after a final answer', [place(0, 'SUCCESS'), inquire(200, '', { ending: answered('ORDER_NOT_EXIST') })], placed],
  ['neverBack', 'unknown after it was in process', [place(0, 'PAYMENT_IN_PROCESS'), inquire(200, '', { ending: answered('ORDER_NOT_EXIST') })], placed],
  ['inconsistentExactly', 'a repeat that agrees, refused', [place(0, 'SUCCESS'), place(200, 'REPEAT_REQ_INCONSISTENT')], placed],
  ['inconsistentExactly', 'a repeat that does not agree, answered', [place(0, 'SUCCESS'), place(200, 'SUCCESS', { terms: 'other' })], placed],
  ['inconsistentExactly', 'a repeat that does not agree, in process', [place(0, 'SUCCESS'), place(0, 'PAYMENT_IN_PROCESS', { terms: 'other' })], placed],
  ['acceptedIsKept', 'an order that was answered is gone', [place(0, 'PAYMENT_IN_PROCESS')], keptOf([])],
  ['acceptedIsKept', 'an order that an inquiry told of is gone', [inquire(0, 'PAYMENT_IN_PROCESS')], keptOf([])],
  ['acceptedIsKept', 'an order that nobody sent', [], placed],
  ['acceptedIsKept', 'an order that is kept otherwise than it was sent', [place(0, 'UNKNOWN_EXCEPTION')], keptOf([keptOrder({ terms: 'other' })])],
  ['everyOrderEnds', 'an order that is open at the end', [place(0, 'PAYMENT_IN_PROCESS')], keptOf([keptOrder({ outcome: undefined })], { open: [] })],
  ['refusedLeavesNothing', 'refused at the endpoint, and kept', [place(0, 'REQUEST_TRAFFIC_EXCEED_LIMIT')], placed],
  ['inOurWords', 'another HTTP status', [place(0, answered('SUCCESS', { status: 503 }))], placed],
  ['inOurWords', 'a bad signature', [place(0, answered('SUCCESS', { verified: false }))], placed],
  ['inOurWords', 'a code of our own', [place(0, 'TRY_LATER')], placed],
  ['inOurWords', 'ORDER_NOT_EXIST to a placeOrder', [place(0, 'ORDER_NOT_EXIST')], placed],
  ['inOurWords', 'an inquiry without the order’s result', [inquire(0, '', { ending: answered('SUCCESS') })], placed],
  ['inTime', 'too late by a millisecond', [place(0, 'SUCCESS', { endedAt: 1_201 })], placed],
  ['inTime', 'too late by more than the ingress was stopped', [place(0, 'SUCCESS', { endedAt: 3_301 })], placed, [stopped]],
  ['inTime', 'too late while another ingress was stopped', [place(0, 'SUCCESS', { endedAt: 3_000 })], placed, [{ ...stopped, who: 'ingress-2' }]],
  ['inTime', 'no answer in all the time there was', [place(0, { kind: 'SILENT' }, { endedAt: 8_000 })], placed, [stopped]],
  ['answeredUnlessKilled', 'a connection that broke', [place(0, { kind: 'BROKEN', why: 'ECONNRESET' })], placed],
  ['answeredUnlessKilled', 'nobody listened', [place(0, 'SUCCESS'), place(0, { kind: 'REFUSED' })], placed],
  ['answeredUnlessKilled', 'broken long after the ingress was back', [place(3_000, { kind: 'BROKEN', why: 'ECONNRESET' })], placed, [killed]],
  ['answeredUnlessKilled', 'broken by an ingress that was told to end', [place(0, { kind: 'BROKEN', why: 'ECONNRESET' })], placed, [{ ...killed, why: 'ENDED' }]],
  ['finalWhenQuiet', 'in process with nothing broken', [place(QUIET_FROM, 'PAYMENT_IN_PROCESS')], placed],
  ['finalWhenQuiet', 'unknown with nothing broken', [place(QUIET_FROM, 'UNKNOWN_EXCEPTION')], placed],
  ['finalWhenQuiet', 'an inquiry in vain with nothing broken', [place(0, 'SUCCESS'), inquire(QUIET_FROM, '', { ending: answered('UNKNOWN_EXCEPTION') })], placed],
  ['decidedOnce', 'decided otherwise than concluded', [place(0, 'RISK_REJECT')], keptOf([keptOrder({ outcome: 'RISK_REJECT' })], { decisions: new Map([['P-1', 'SUCCESS']]) })],
  ['decidedOnce', 'decided, and no such order', [], keptOf([], { decisions: new Map([['P-9', 'SUCCESS']]) })],
  ['refusedForAReason', 'refused for an amount that fits', [place(0, 'PAYMENT_AMOUNT_EXCEED_LIMIT')], keptOf([keptOrder({ outcome: 'PAYMENT_AMOUNT_EXCEED_LIMIT' })])],
  ['refusedForAReason', 'refused for a count that fits', [place(0, 'PAYMENT_COUNT_EXCEED_LIMIT')], keptOf([keptOrder({ outcome: 'PAYMENT_COUNT_EXCEED_LIMIT' })])],
  ['refusedForAReason', 'refused for a code that nobody holds', [place(0, 'ORDER_IS_CLOSED')], keptOf([keptOrder({ outcome: 'ORDER_IS_CLOSED', orderCode: 'code' })])],
  ['countersExact', 'a counter that is short', [place(0, 'SUCCESS')], { ...placed, counters: new Map([['merchant', { amount: 99n, count: 1n }]]) }],
  ['countersExact', 'an order that was counted twice', [place(0, 'SUCCESS')], { ...placed, counters: new Map([['merchant', { amount: 100n, count: 2n }]]) }],
  ['countersExact', 'a counter that is gone', [place(0, 'SUCCESS')], { ...placed, counters: new Map() }],
  ['countersExact', 'taken from a limit without an order', [], keptOf([], { counters: new Map([['merchant', { amount: 100n, count: 1n }]]) })],
  ['countersExact', 'taken by an order that was refused', [place(0, 'RISK_REJECT')], keptOf([keptOrder({ outcome: 'RISK_REJECT' })], { counters: placed.counters })],
  ['limitsHold', 'an amount past its limit', [place(0, 'SUCCESS')], keptOf([keptOrder({ takes: [{ ...merchant, amountMax: 99n }] })])],
  ['limitsHold', 'a count past its limit', [place(0, 'SUCCESS')], keptOf([keptOrder({ takes: [{ ...merchant, countMax: 0 }] })])],
  ['oneOrderACode', 'two orders placed with one code', [place(0, 'SUCCESS'), place(0, 'SUCCESS', { orderId: 'P-2' })], keptOf([keptOrder({ orderCode: 'code' }), keptOrder({ orderId: 'P-2', orderCode: 'code' })])],
  ['oneOrderACode', 'a code held by nobody', [place(0, 'SUCCESS')], keptOf([keptOrder({ orderCode: 'code' })], { holders: new Map() })],
  ['oneOrderACode', 'a code held by an order that was not placed', [place(0, 'RISK_REJECT')], keptOf([keptOrder({ outcome: 'RISK_REJECT', orderCode: 'code' })], { holders: new Map([['code', 'P-1']]) })],
  ['rightOutcome', 'an outcome that only its neighbour deserves', [place(0, 'EXPIRED_CODE')], keptOf([keptOrder({ outcome: 'EXPIRED_CODE' })])],
  ['concludedUnasked', 'an order that was concluded only when somebody asked', [place(0, 'SUCCESS', { orderId: 'P-slow' })], keptOf([keptOrder({ orderId: 'P-slow' })])],
  ['noneIsOpen', 'an order left in the set of open orders', [place(0, 'SUCCESS')], { ...placed, open: ['P-1'] }],
] // biome-ignore format: a line a case

describe('a history that is wrong in one way is rejected', () => {
  test.each(wrong)('%s: %s', (rule, _name, calls, kept, pauses) => {
    expect(broken(calls, kept, pauses)).toContain(rule)
  })

  test('each rule has a history that only it rejects', () => {
    const alone = wrong.map(([, , calls, kept, pauses]) => broken(calls, kept, pauses))
    const found = new Set(alone.filter(({ length }) => length === 1).flat())
    expect(rules.filter((rule) => !found.has(rule))).toEqual([])
  })
})
