import { eventIdOf } from '@placeorder/events'
import { describe, expect, test } from 'vitest'
import type { SentEvent, SinkHistory } from './check-events.ts'
import {
  checkHistory,
  type Rule,
  ruleNames,
  type StoredOrder,
  type StoredState,
} from './check-history.ts'
import { CALLERS, type CallEnding, type Pause, type RecordedCall } from './history.ts'

const WAIT_MS = 1_000
const RECOVERED_AT = 50_000
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
  more: Partial<Extract<CallEnding, { kind: 'ANSWERED' }>> = {},
): CallEnding => ({
  kind: 'ANSWERED',
  status: 200,
  verified: true,
  code,
  ...(code === 'SUCCESS' ? { paymentRequestId: 'R-1' } : {}),
  ...more,
})

/** A request for P-1, sent at `sentAt` and answered 100 ms later. */
const place = (
  sentAt: number,
  ending: CallEnding | string,
  more: Partial<RecordedCall> = {},
): RecordedCall => ({
  endpoint: 'place',
  orderId: 'P-1',
  ingress: 'ingress-1',
  terms,
  sentAt,
  endedAt: sentAt + 100,
  ending: typeof ending === 'string' ? answered(ending) : ending,
  ...more,
})

/** An inquiry for P-1 that is answered with this code of the order. */
const inquire = (
  sentAt: number,
  orderCode: string,
  more: Partial<RecordedCall> = {},
): RecordedCall =>
  place(sentAt, answered('SUCCESS', { orderCode }), { endpoint: 'inquire', terms: '', ...more })

const storedOrder = (changes: Partial<StoredOrder> = {}): StoredOrder => ({
  orderId: 'P-1',
  terms,
  paymentRequestId: 'R-1',
  outcome: 'SUCCESS',
  uses: [merchant],
  orderCode: undefined,
  ...changes,
})

/** What is stored if these are all orders and every promise is kept. */
function stateOf(orders: StoredOrder[], changes: Partial<StoredState> = {}): StoredState {
  const placed = orders.filter(({ outcome }) => outcome === 'SUCCESS')
  const counters = new Map<string, { amount: bigint; count: bigint }>()
  for (const { counter, amount } of placed.flatMap(({ uses }) => uses)) {
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
const bounds = { waitMs: WAIT_MS, recoveredAt: RECOVERED_AT, stillOpen: ['P-slow'] }

const broken = (calls: RecordedCall[], stored: StoredState, pauses: Pause[] = []): Rule[] => [
  ...new Set(checkHistory({ calls, pauses, expected }, stored, bounds).map(({ rule }) => rule)),
]

const placed = stateOf([storedOrder()])

/** The event of P-1. */
const anEvent = (changes: Partial<SentEvent> = {}): SentEvent => ({
  id: eventIdOf('', 'P-1', 'order.placed'),
  type: 'order.placed',
  orderId: 'P-1',
  code: 'SUCCESS',
  paymentRequestId: 'R-1',
  taken: true,
  ...changes,
})
/** P-1 is placed, and this was sent to a sink. */
const sent = (events: SentEvent[], more: Partial<SinkHistory> = {}): StoredState => ({
  ...placed,
  sinks: [{ sink: 'ledger', events, unverified: [], ...more }],
})

const killed: Pause = { who: 'ingress-1', why: 'KILLED', from: 50, to: 2_000, ms: 1_950 }
const stopped: Pause = { who: 'ingress-1', why: 'STOPPED', from: 100, to: 2_100, ms: 2_000 }
const starved: Pause = { who: CALLERS, why: 'STARVED', from: 100, to: 2_600, ms: 500 }

describe('a history in which all promises were kept passes', () => {
  test.each<[string, RecordedCall[], StoredState, Pause[]?]>([
    ['nothing happened', [], stateOf([])],
    [
      'placed, repeated and inquired',
      [place(0, 'SUCCESS'), place(500, 'SUCCESS'), inquire(900, 'SUCCESS')],
      placed,
    ],
    ['an event that was taken', [place(0, 'SUCCESS')], sent([anEvent()])],
    ['a U first, then final', [place(0, 'PAYMENT_IN_PROCESS'), place(200, 'SUCCESS')], placed],
    [
      'a U sent before the final answer arrived',
      [place(0, 'SUCCESS'), place(99, 'PAYMENT_IN_PROCESS')],
      placed,
    ],
    [
      'after a final answer, a U without the state of the order',
      [
        place(0, 'SUCCESS'),
        place(200, 'UNKNOWN_EXCEPTION'),
        place(400, 'REQUEST_TRAFFIC_EXCEED_LIMIT'),
      ],
      placed,
    ],
    [
      'an inquiry that got a U',
      [place(0, 'SUCCESS'), inquire(200, '', { ending: answered('UNKNOWN_EXCEPTION') })],
      placed,
    ],
    [
      'an inquiry in flight when the order was accepted',
      [place(0, 'SUCCESS'), inquire(50, '', { ending: answered('ORDER_NOT_EXIST') })],
      placed,
    ],
    [
      'an inconsistent repeat, refused',
      [place(0, 'SUCCESS'), place(200, 'REPEAT_REQ_INCONSISTENT', { terms: 'other' })],
      placed,
    ],
    [
      'the inconsistent request came first',
      [
        place(0, 'UNKNOWN_EXCEPTION'),
        place(10, 'SUCCESS', { terms: 'other' }),
        place(300, 'REPEAT_REQ_INCONSISTENT'),
      ],
      stateOf([storedOrder({ terms: 'other' })]),
    ],
    ['a request that was dropped, and accepted', [place(0, { kind: 'DROPPED' })], placed],
    ['a request that was dropped, and not accepted', [place(0, { kind: 'DROPPED' })], stateOf([])],
    ['refused before it was stored', [place(0, 'REQUEST_TRAFFIC_EXCEED_LIMIT')], stateOf([])],
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
      'late by as much as the callers starved',
      [place(0, 'SUCCESS', { endedAt: 1_650 })],
      placed,
      [starved],
    ],
    [
      'refused for an amount that does not fit',
      [place(0, 'SUCCESS'), place(0, 'PAYMENT_AMOUNT_EXCEED_LIMIT', { orderId: 'P-2' })],
      stateOf([
        storedOrder({ uses: [{ ...merchant, amount: 200n }] }),
        storedOrder({ orderId: 'P-2', outcome: 'PAYMENT_AMOUNT_EXCEED_LIMIT' }),
      ]),
    ],
    [
      'refused for a code that another order holds',
      [place(0, 'SUCCESS'), place(0, 'ORDER_IS_CLOSED', { orderId: 'P-2' })],
      stateOf([
        storedOrder({ orderCode: 'code' }),
        storedOrder({ orderId: 'P-2', outcome: 'ORDER_IS_CLOSED', orderCode: 'code' }),
      ]),
    ],
    [
      'final at the end, after a repeat',
      [place(RECOVERED_AT, 'PAYMENT_IN_PROCESS'), place(RECOVERED_AT + 200, 'SUCCESS')],
      placed,
    ],
    [
      'final answers at the end',
      [place(0, 'SUCCESS'), place(RECOVERED_AT, 'SUCCESS'), inquire(RECOVERED_AT, 'SUCCESS')],
      placed,
    ],
  ])('%s', (_name, calls, stored, pauses) => {
    expect(broken(calls, stored, pauses)).toEqual([])
  })
})

const wrong: [Rule, string, RecordedCall[], StoredState, Pause[]?][] = [
  ['oneAnswer', 'two final answers', [place(0, 'SUCCESS'), place(200, 'RISK_REJECT')], placed],
  [
    'oneAnswer',
    'at the same time, too',
    [place(0, 'SUCCESS'), place(0, 'PROCESS_FAIL', { ingress: 'ingress-2' })],
    placed,
  ],
  [
    'oneAnswer',
    'an inquiry with another answer',
    [place(0, 'SUCCESS'), inquire(200, 'EXPIRED_CODE')],
    placed,
  ],
  ['oneAnswer', 'a final answer that is not what is stored', [place(0, 'INVALID_CODE')], placed],
  [
    'oneAnswer',
    'a final answer of an order that is open',
    [place(0, 'SUCCESS')],
    stateOf([storedOrder({ outcome: undefined })]),
  ],
  [
    'oneAnswer',
    'another paymentRequestId',
    [place(0, answered('SUCCESS', { paymentRequestId: 'R-2' }))],
    placed,
  ],
  [
    'oneAnswer',
    'an inquiry with another paymentRequestId',
    [
      inquire(0, 'PAYMENT_IN_PROCESS', {
        ending: answered('SUCCESS', { orderCode: 'PAYMENT_IN_PROCESS', paymentRequestId: 'R-2' }),
      }),
    ],
    placed,
  ],
  [
    'oneAnswer',
    'SUCCESS without a paymentRequestId',
    [place(0, answered('SUCCESS', { paymentRequestId: undefined }))],
    placed,
  ],
  [
    'neverBackwards',
    'in process after a final answer',
    [place(0, 'SUCCESS'), place(100, 'PAYMENT_IN_PROCESS')],
    placed,
  ],
  [
    'neverBackwards',
    'in process for an inquiry after a final answer',
    [place(0, 'SUCCESS'), inquire(200, 'PAYMENT_IN_PROCESS')],
    placed,
  ],
  [
    'neverBackwards',
    'unknown after a final answer',
    [place(0, 'SUCCESS'), inquire(200, '', { ending: answered('ORDER_NOT_EXIST') })],
    placed,
  ],
  [
    'neverBackwards',
    'unknown after it was in process',
    [place(0, 'PAYMENT_IN_PROCESS'), inquire(200, '', { ending: answered('ORDER_NOT_EXIST') })],
    placed,
  ],
  [
    'inconsistentExactly',
    'a consistent repeat, refused',
    [place(0, 'SUCCESS'), place(200, 'REPEAT_REQ_INCONSISTENT')],
    placed,
  ],
  [
    'inconsistentExactly',
    'an inconsistent repeat, answered',
    [place(0, 'SUCCESS'), place(200, 'SUCCESS', { terms: 'other' })],
    placed,
  ],
  [
    'inconsistentExactly',
    'an inconsistent repeat, in process',
    [place(0, 'SUCCESS'), place(0, 'PAYMENT_IN_PROCESS', { terms: 'other' })],
    placed,
  ],
  [
    'acceptedIsStored',
    'an order that was answered is gone',
    [place(0, 'PAYMENT_IN_PROCESS')],
    stateOf([]),
  ],
  [
    'acceptedIsStored',
    'an order that an inquiry found is gone',
    [inquire(0, 'PAYMENT_IN_PROCESS')],
    stateOf([]),
  ],
  ['acceptedIsStored', 'an order that nobody sent', [], placed],
  [
    'acceptedIsStored',
    'an order that is stored with other terms',
    [place(0, 'UNKNOWN_EXCEPTION')],
    stateOf([storedOrder({ terms: 'other' })]),
  ],
  [
    'everyOrderEnds',
    'an order that is open at the end',
    [place(0, 'PAYMENT_IN_PROCESS')],
    stateOf([storedOrder({ outcome: undefined })], { open: [] }),
  ],
  [
    'refusedLeavesNothing',
    'refused for traffic, and stored',
    [place(0, 'REQUEST_TRAFFIC_EXCEED_LIMIT')],
    placed,
  ],
  [
    'inTheProtocol',
    'another HTTP status',
    [place(0, answered('SUCCESS', { status: 503 }))],
    placed,
  ],
  [
    'inTheProtocol',
    'a bad signature',
    [place(0, answered('SUCCESS', { verified: false }))],
    placed,
  ],
  ['inTheProtocol', 'a code of our own', [place(0, 'TRY_LATER')], placed],
  ['inTheProtocol', 'ORDER_NOT_EXIST to a placeOrder', [place(0, 'ORDER_NOT_EXIST')], placed],
  [
    'inTheProtocol',
    'an inquiry without the order’s result',
    [inquire(0, '', { ending: answered('SUCCESS') })],
    placed,
  ],
  ['inTime', 'too late by a millisecond', [place(0, 'SUCCESS', { endedAt: 1_201 })], placed],
  [
    'inTime',
    'too late by more than the ingress was stopped',
    [place(0, 'SUCCESS', { endedAt: 3_301 })],
    placed,
    [stopped],
  ],
  [
    'inTime',
    'too late while another ingress was stopped',
    [place(0, 'SUCCESS', { endedAt: 3_000 })],
    placed,
    [{ ...stopped, who: 'ingress-2' }],
  ],
  [
    'inTime',
    'no answer until the caller aborted',
    [place(0, { kind: 'SILENT' }, { endedAt: 8_000 })],
    placed,
    [stopped],
  ],
  [
    'answeredUnlessKilled',
    'a connection that broke',
    [place(0, { kind: 'BROKEN', why: 'ECONNRESET' })],
    placed,
  ],
  [
    'answeredUnlessKilled',
    'nobody listened',
    [place(0, 'SUCCESS'), place(0, { kind: 'REFUSED' })],
    placed,
  ],
  [
    'answeredUnlessKilled',
    'broken long after the ingress was back',
    [place(3_000, { kind: 'BROKEN', why: 'ECONNRESET' })],
    placed,
    [killed],
  ],
  [
    'answeredUnlessKilled',
    'broken by an ingress that was ending',
    [place(0, { kind: 'BROKEN', why: 'ECONNRESET' })],
    placed,
    [{ ...killed, why: 'ENDED' }],
  ],
  [
    'finalAfterRecovery',
    'in process with no active fault',
    [place(RECOVERED_AT, 'PAYMENT_IN_PROCESS')],
    placed,
  ],
  [
    'finalAfterRecovery',
    'unknown with no active fault',
    [place(RECOVERED_AT, 'UNKNOWN_EXCEPTION')],
    placed,
  ],
  [
    'finalAfterRecovery',
    'an inquiry that got a U with no active fault',
    [place(0, 'SUCCESS'), inquire(RECOVERED_AT, '', { ending: answered('UNKNOWN_EXCEPTION') })],
    placed,
  ],
  [
    'decidedOnce',
    'concluded with another decision',
    [place(0, 'RISK_REJECT')],
    stateOf([storedOrder({ outcome: 'RISK_REJECT' })], {
      decisions: new Map([['P-1', 'SUCCESS']]),
    }),
  ],
  [
    'decidedOnce',
    'a decision without an order',
    [],
    stateOf([], { decisions: new Map([['P-9', 'SUCCESS']]) }),
  ],
  [
    'refusedForAReason',
    'refused for an amount that fits',
    [place(0, 'PAYMENT_AMOUNT_EXCEED_LIMIT')],
    stateOf([storedOrder({ outcome: 'PAYMENT_AMOUNT_EXCEED_LIMIT' })]),
  ],
  [
    'refusedForAReason',
    'refused for a count that fits',
    [place(0, 'PAYMENT_COUNT_EXCEED_LIMIT')],
    stateOf([storedOrder({ outcome: 'PAYMENT_COUNT_EXCEED_LIMIT' })]),
  ],
  [
    'refusedForAReason',
    'refused for a code that nobody holds',
    [place(0, 'ORDER_IS_CLOSED')],
    stateOf([storedOrder({ outcome: 'ORDER_IS_CLOSED', orderCode: 'code' })]),
  ],
  [
    'countersExact',
    'a counter that is too low',
    [place(0, 'SUCCESS')],
    { ...placed, counters: new Map([['merchant', { amount: 99n, count: 1n }]]) },
  ],
  [
    'countersExact',
    'an order that was counted twice',
    [place(0, 'SUCCESS')],
    { ...placed, counters: new Map([['merchant', { amount: 100n, count: 2n }]]) },
  ],
  [
    'countersExact',
    'a counter that is gone',
    [place(0, 'SUCCESS')],
    { ...placed, counters: new Map() },
  ],
  [
    'countersExact',
    'counted without an order',
    [],
    stateOf([], { counters: new Map([['merchant', { amount: 100n, count: 1n }]]) }),
  ],
  [
    'countersExact',
    'counted for an order that was refused',
    [place(0, 'RISK_REJECT')],
    stateOf([storedOrder({ outcome: 'RISK_REJECT' })], { counters: placed.counters }),
  ],
  [
    'limitsHold',
    'an amount above its limit',
    [place(0, 'SUCCESS')],
    stateOf([storedOrder({ uses: [{ ...merchant, amountMax: 99n }] })]),
  ],
  [
    'limitsHold',
    'a count above its limit',
    [place(0, 'SUCCESS')],
    stateOf([storedOrder({ uses: [{ ...merchant, countMax: 0 }] })]),
  ],
  [
    'oneOrderPerCode',
    'two orders placed with one code',
    [place(0, 'SUCCESS'), place(0, 'SUCCESS', { orderId: 'P-2' })],
    stateOf([
      storedOrder({ orderCode: 'code' }),
      storedOrder({ orderId: 'P-2', orderCode: 'code' }),
    ]),
  ],
  [
    'oneOrderPerCode',
    'a code held by nobody',
    [place(0, 'SUCCESS')],
    stateOf([storedOrder({ orderCode: 'code' })], { holders: new Map() }),
  ],
  [
    'oneOrderPerCode',
    'a code held by an order that was not placed',
    [place(0, 'RISK_REJECT')],
    stateOf([storedOrder({ outcome: 'RISK_REJECT', orderCode: 'code' })], {
      holders: new Map([['code', 'P-1']]),
    }),
  ],
  [
    'rightOutcome',
    'an outcome that is right for another order alone',
    [place(0, 'EXPIRED_CODE')],
    stateOf([storedOrder({ outcome: 'EXPIRED_CODE' })]),
  ],
  [
    'concludedWithoutCalls',
    'an order that was concluded only after another call',
    [place(0, 'SUCCESS', { orderId: 'P-slow' })],
    stateOf([storedOrder({ orderId: 'P-slow' })]),
  ],
  [
    'noOpenOrders',
    'an order left in the set of open orders',
    [place(0, 'SUCCESS')],
    { ...placed, open: ['P-1'] },
  ],
  [
    'archivedEqual',
    'an order that is not in the archive',
    [place(0, 'SUCCESS')],
    { ...placed, wrongInArchive: new Map([['P-1', 'is missing in the archive']]) },
  ],
  [
    'forgottenInTime',
    'an order that is not forgotten',
    [place(0, 'SUCCESS')],
    { ...placed, notForgotten: ['P-1'] },
  ],
  [
    'archiveAnswers',
    'no answer out of the archive',
    [place(0, 'SUCCESS')],
    { ...placed, answersFromArchive: 0 },
  ],
  ['everyOutcomeDelivered', 'an event that a sink was never sent', [place(0, 'SUCCESS')], sent([])],
  [
    'everyOutcomeDelivered',
    'an event that a sink never took',
    [place(0, 'SUCCESS')],
    sent([anEvent({ taken: false })]),
  ],
  [
    'everyOutcomeDelivered',
    'an event that only one of two sinks has',
    [place(0, 'SUCCESS')],
    { ...placed, sinks: [...(sent([anEvent()]).sinks ?? []), ...(sent([]).sinks ?? [])] },
  ],
  [
    'nothingElseDelivered',
    'an event of an order that is not stored',
    [place(0, 'SUCCESS')],
    sent([anEvent(), anEvent({ orderId: 'P-9', id: eventIdOf('', 'P-9', 'order.placed') })]),
  ],
  [
    'nothingElseDelivered',
    'an event of an order that is open',
    [place(0, 'SUCCESS')],
    {
      ...stateOf([storedOrder({ outcome: undefined })], { open: [] }),
      sinks: sent([anEvent({ taken: false })]).sinks ?? [],
    },
  ],
  [
    'nothingElseDelivered',
    'placed, and then refused',
    [place(0, 'SUCCESS')],
    sent([
      anEvent(),
      anEvent({
        id: eventIdOf('', 'P-1', 'order.refused'),
        type: 'order.refused',
        code: 'RISK_REJECT',
      }),
    ]),
  ],
  [
    'nothingElseDelivered',
    'an event with another id the second time',
    [place(0, 'SUCCESS')],
    sent([anEvent(), anEvent({ id: 'another' })]),
  ],
  [
    'nothingElseDelivered',
    'an event with another paymentRequestId than is stored',
    [place(0, 'SUCCESS')],
    sent([anEvent({ paymentRequestId: 'R-2' })]),
  ],
  [
    'everyEventVerified',
    'a request that is not signed with the secret',
    [place(0, 'SUCCESS')],
    sent([anEvent()], { unverified: ['No matching signature found'] }),
  ],
]

describe('a history that breaks one promise is rejected', () => {
  test.each(wrong)('%s: %s', (rule, _name, calls, stored, pauses) => {
    expect(broken(calls, stored, pauses)).toContain(rule)
  })

  test('each rule has a history that only it rejects', () => {
    const alone = wrong.map(([, , calls, stored, pauses]) => broken(calls, stored, pauses))
    const found = new Set(alone.filter(({ length }) => length === 1).flat())
    expect(ruleNames.filter((rule) => !found.has(rule))).toEqual([])
  })
})
