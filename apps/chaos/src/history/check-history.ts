import { isFinal, isResultCode } from '@placeorder/protocol'
import { eventRules, type SinkHistory } from './check-events.ts'
import type { CallEnding, ExpectedOutcomes, Pause, RecordedCall } from './history.ts'
import { Pauses } from './pauses.ts'

/** What an order adds to one counter if it is placed. */
export type CounterUse = {
  counter: string
  amount: bigint
  amountMax: bigint | undefined
  countMax: number | undefined
}

/** An order as it is stored at the end. */
export type StoredOrder = {
  orderId: string
  terms: string
  paymentRequestId: string
  /** Undefined while it is open. */
  outcome: string | undefined
  uses: CounterUse[]
  /** The key of its order code's holder; undefined if its code is an entry code. */
  orderCode: string | undefined
}

/** What Redis and the archive hold at the end. */
export type StoredState = {
  orders: StoredOrder[]
  /** The orderIds in the sets of open orders. */
  open: string[]
  counters: Map<string, { amount: bigint; count: bigint }>
  /** The orderIds that hold the order codes, by the holder's key. */
  holders: Map<string, string>
  /** The decisions by orderId, as far as they are still stored. */
  decisions: Map<string, string>
  /** What is wrong with orders in the archive, by orderId; nothing without an archive. */
  wrongInArchive?: ReadonlyMap<string, string>
  /** The orders that Redis still had long after it should have forgotten them. */
  notForgotten?: readonly string[] | undefined
  /** How many final answers came out of the archive; undefined without one. */
  answersFromArchive?: number | undefined
  /** What the sinks were sent; nothing without notifiers. */
  sinks?: readonly SinkHistory[]
}

export type Bounds = {
  /** WAIT_MS of the ingresses. */
  waitMs: number
  /** From this time on (ms) no fault was active, and every order could be concluded. */
  recoveredAt: number
  /**
   * Orders that were still open a bounded time after the last fault, without any calls for them.
   */
  stillOpen?: readonly string[]
}

/** A broken promise, with the calls that show it. */
export type Violation = {
  rule: Rule
  orderId: string | undefined
  what: string
  calls: RecordedCall[]
}

/** P4: an answer takes this much longer than `WAIT_MS` at most (ms). */
const GRACE_MS = 200

type Answered = Extract<CallEnding, { kind: 'ANSWERED' }>
type AnsweredCall = RecordedCall & { ending: Answered }

/** All that is known of one orderId. */
type OrderHistory = {
  orderId: string
  calls: RecordedCall[]
  answered: AnsweredCall[]
  stored: StoredOrder | undefined
}

type CheckContext = {
  stored: StoredState
  bounds: Bounds
  pauses: Pauses
  /** The right outcomes, by `OrderId`. */
  expected: ReadonlyMap<string, ExpectedOutcomes>
}

type Breach = { what: string; calls?: RecordedCall[] }

const isAnswered = (call: RecordedCall): call is AnsweredCall => call.ending.kind === 'ANSWERED'

/** The order's own code in an answer: `result` of placeOrder, `orderResult` of an inquiry. */
function orderCodeOf({ endpoint, ending }: AnsweredCall): string | undefined {
  if (endpoint === 'place') return ending.code
  return ending.code === 'SUCCESS' ? ending.orderCode : undefined
}

/**
 * The final code that an answer gives the order. Refusing an inconsistent repeat decides nothing.
 */
function finalCodeOf(call: AnsweredCall): string | undefined {
  const code = orderCodeOf(call)
  if (code === undefined || code === 'REPEAT_REQ_INCONSISTENT') return undefined
  return isResultCode(code) && isFinal(code) ? code : undefined
}

/**
 * Which states an order may have had during a call according to its answer, from `least` to `most`:
 * 0 unknown, 1 open, 2 concluded. UNKNOWN_EXCEPTION and REQUEST_TRAFFIC_EXCEED_LIMIT exclude none.
 */
function progressOf(call: AnsweredCall): { least: number; most: number } {
  const code = orderCodeOf(call)
  if (finalCodeOf(call) !== undefined) return { least: 2, most: 2 }
  if (code === 'PAYMENT_IN_PROCESS') return { least: 1, most: 1 }
  if (code === 'REPEAT_REQ_INCONSISTENT') return { least: 1, most: 2 }
  if (call.ending.code === 'ORDER_NOT_EXIST') return { least: 0, most: 0 }
  return { least: 0, most: 2 }
}

/**
 * P1 and P5: an order's outcome is written once. Every final answer of any endpoint at any time is
 * the stored outcome, and every paymentRequestId is the stored one; SUCCESS always has one.
 */
function oneAnswer({ answered, stored }: OrderHistory): Breach[] {
  return answered.flatMap((call): Breach[] => {
    const final = finalCodeOf(call)
    const { paymentRequestId } = call.ending
    if (final !== undefined && stored?.outcome !== final)
      return [
        { what: `${final} was answered, ${stored?.outcome ?? 'nothing'} is stored`, calls: [call] },
      ]
    if (final === 'SUCCESS' && paymentRequestId === undefined)
      return [{ what: 'SUCCESS without a paymentRequestId', calls: [call] }]
    if (paymentRequestId !== undefined && paymentRequestId !== stored?.paymentRequestId)
      return [
        {
          what: `paymentRequestId ${paymentRequestId}, but ${stored?.paymentRequestId} is stored`,
          calls: [call],
        },
      ]
    return []
  })
}

/**
 * P1 and P2 over time: an order only goes forward, from unknown to open to concluded. The answer to
 * a request that was sent after another answer was received never says less than that answer: no
 * PAYMENT_IN_PROCESS after a final answer, and no ORDER_NOT_EXIST after an answer that shows that
 * the order was accepted. A U that does not report the order's state (an outage, overload)
 * contradicts nothing.
 */
function neverBackwards({ answered }: OrderHistory): Breach[] {
  return answered.flatMap((later) => {
    const { most } = progressOf(later)
    const earlier = answered.find(
      (call) => call.endedAt <= later.sentAt && progressOf(call).least > most,
    )
    return earlier === undefined
      ? []
      : [
          {
            what: `${describeAnswer(later)} to a request after ${describeAnswer(earlier)}`,
            calls: [earlier, later],
          },
        ]
  })
}

/** Inconsistent repeats are refused, consistent ones never; only those get the order's state. */
function inconsistentExactly({ answered, stored }: OrderHistory): Breach[] {
  return answered.flatMap((call): Breach[] => {
    if (call.endpoint !== 'place') return []
    const isConsistent = stored === undefined || call.terms === stored.terms
    const refused = call.ending.code === 'REPEAT_REQ_INCONSISTENT'
    if (isConsistent && refused)
      return [{ what: 'a consistent repeat was refused as inconsistent', calls: [call] }]
    if (!isConsistent && !refused && progressOf(call).least > 0)
      return [{ what: `${call.ending.code} to an inconsistent repeat`, calls: [call] }]
    return []
  })
}

/** P2: an order that an answer shows to be accepted is stored as it was sent, and no other is. */
function acceptedIsStored({ calls, answered, stored }: OrderHistory): Breach[] {
  if (stored === undefined) {
    const shows = answered.find((call) => progressOf(call).least > 0)
    return shows === undefined
      ? []
      : [{ what: `${describeAnswer(shows)}, but no order is stored`, calls: [shows] }]
  }
  const sent = calls.filter(
    ({ endpoint, ending }) => endpoint === 'place' && ending.kind !== 'REFUSED',
  )
  return sent.some(({ terms }) => terms === stored.terms)
    ? []
    : [{ what: `an order is stored with terms that nobody sent: ${stored.terms}` }]
}

/** P2: every accepted order has an outcome. */
function everyOrderEnds({ stored }: OrderHistory): Breach[] {
  return stored === undefined || stored.outcome !== undefined
    ? []
    : [{ what: 'the order is still open' }]
}

/**
 * P6: an order that only got REQUEST_TRAFFIC_EXCEED_LIMIT was refused before anything was stored.
 */
function refusedLeavesNothing({ calls, stored }: OrderHistory): Breach[] {
  const places = calls.filter(({ endpoint }) => endpoint === 'place')
  const refused = places.every(
    ({ ending }) =>
      ending.kind === 'REFUSED' ||
      (ending.kind === 'ANSWERED' && ending.code === 'REQUEST_TRAFFIC_EXCEED_LIMIT'),
  )
  return stored !== undefined && places.length > 0 && refused
    ? [{ what: 'every request was refused, but the order is stored' }]
    : []
}

/** P4: HTTP 200, signed, and one of the 27 codes; for an inquiry also ORDER_NOT_EXIST. */
function inTheProtocol({ answered }: OrderHistory): Breach[] {
  return answered.flatMap((call): Breach[] => {
    const { status, verified, code, orderCode } = call.ending
    if (status !== 200) return [{ what: `HTTP ${status}`, calls: [call] }]
    if (!verified) return [{ what: 'the answer is not signed by the acquirer', calls: [call] }]
    const known = isResultCode(code) || (call.endpoint === 'inquire' && code === 'ORDER_NOT_EXIST')
    if (!known) return [{ what: `${code} is not a result code`, calls: [call] }]
    if (call.endpoint === 'inquire' && code === 'SUCCESS' && !isResultCode(orderCode ?? ''))
      return [{ what: `${orderCode} is not a result code of an order`, calls: [call] }]
    return []
  })
}

/**
 * P4: within WAIT_MS + 200 ms, not counting the time in which ingress or callers could not run. A
 * caller that aborted its call shows that no answer had come by then.
 */
function inTime({ calls }: OrderHistory, { bounds, pauses }: CheckContext): Breach[] {
  return calls.flatMap((call) => {
    if (call.ending.kind !== 'ANSWERED' && call.ending.kind !== 'SILENT') return []
    const ms = pauses.netMs(call)
    const after = call.ending.kind === 'SILENT' ? 'no answer after' : 'answered after'
    return ms <= bounds.waitMs + GRACE_MS
      ? []
      : [
          {
            what: `${after} ${Math.round(ms)} ms, at most ${bounds.waitMs + GRACE_MS}`,
            calls: [call],
          },
        ]
  })
}

/**
 * P4: a request that its caller does not drop is answered, unless its ingress was killed. An
 * ingress that is ending may refuse new connections, but breaks none.
 */
function answeredUnlessKilled({ calls }: OrderHistory, { pauses }: CheckContext): Breach[] {
  return calls.flatMap((call) => {
    const { ending } = call
    if (ending.kind !== 'BROKEN' && ending.kind !== 'REFUSED') return []
    const isExcused = [...pauses.of(call.ingress, call.sentAt, call.endedAt)].some(
      ({ why }) => why === 'KILLED' || (why === 'ENDED' && ending.kind === 'REFUSED'),
    )
    const what = ending.kind === 'BROKEN' ? ending.why : 'the connection was refused'
    return isExcused
      ? []
      : [{ what: `no answer from an ingress that was not killed: ${what}`, calls: [call] }]
  })
}

/** With no active fault, the last answer is final, or is not about the outcome. */
function finalAfterRecovery({ answered }: OrderHistory, { bounds }: CheckContext): Breach[] {
  const last = answered
    .filter(({ sentAt }) => sentAt >= bounds.recoveredAt)
    .toSorted((a, b) => a.endedAt - b.endedAt)
    .at(-1)
  if (last === undefined) return []
  const code = orderCodeOf(last) ?? last.ending.code
  const isAllowed =
    finalCodeOf(last) !== undefined || ['REPEAT_REQ_INCONSISTENT', 'ORDER_NOT_EXIST'].includes(code)
  return isAllowed ? [] : [{ what: `${code} with no active fault`, calls: [last] }]
}

/** P3: an order's outcome is its decision. */
function decidedOnce(
  { orderId, stored }: OrderHistory,
  { stored: { decisions } }: CheckContext,
): Breach[] {
  const decision = decisions.get(orderId)
  if (decision === undefined || decision === stored?.outcome) return []
  return [{ what: `decided ${decision}, but ${stored?.outcome ?? 'nothing'} is stored` }]
}

/**
 * P3: an order refused for a limit did not fit. Counters only grow, so this still shows at the end.
 */
function refusedForAReason(
  { stored }: OrderHistory,
  { stored: { counters, holders } }: CheckContext,
): Breach[] {
  const counterOf = ({ counter }: CounterUse) => counters.get(counter) ?? { amount: 0n, count: 0n }
  const reasons: Record<string, (order: StoredOrder) => boolean> = {
    PAYMENT_AMOUNT_EXCEED_LIMIT: ({ uses }) =>
      uses.some(
        (take) =>
          take.amountMax !== undefined && counterOf(take).amount + take.amount > take.amountMax,
      ),
    PAYMENT_COUNT_EXCEED_LIMIT: ({ uses }) =>
      uses.some(
        (take) => take.countMax !== undefined && counterOf(take).count + 1n > take.countMax,
      ),
    ORDER_IS_CLOSED: ({ orderId, orderCode = '' }) =>
      ![undefined, orderId].includes(holders.get(orderCode)),
  }
  if (stored?.outcome === undefined) return []
  const reason = reasons[stored.outcome]
  return reason === undefined || reason(stored)
    ? []
    : [{ what: `${stored.outcome} without a reason` }]
}

/** An order that was stored with its expected terms has one of its right outcomes. */
function rightOutcome({ orderId, stored }: OrderHistory, { expected }: CheckContext): Breach[] {
  const right = expected.get(orderId)
  if (stored?.outcome === undefined || right === undefined || right.terms !== stored.terms)
    return []
  return right.outcomes.some((outcome) => outcome === stored.outcome)
    ? []
    : [{ what: `${stored.outcome} is stored, expected was ${right.outcomes.join(' or ')}` }]
}

/** P2: with no active fault, an order is concluded in bounded time without further calls. */
const concludedWithoutCalls = (
  { orderId }: OrderHistory,
  { bounds: { stillOpen = [] } }: CheckContext,
): Breach[] =>
  stillOpen.includes(orderId) ? [{ what: 'still open long after the last fault' }] : []

/** The rules for each orderId by itself. */
const orderRules = {
  oneAnswer,
  neverBackwards,
  inconsistentExactly,
  acceptedIsStored,
  everyOrderEnds,
  refusedLeavesNothing,
  inTheProtocol,
  inTime,
  answeredUnlessKilled,
  finalAfterRecovery,
  decidedOnce,
  refusedForAReason,
  rightOutcome,
  concludedWithoutCalls,
} satisfies Record<string, (order: OrderHistory, context: CheckContext) => Breach[]>

/** P3: each counter is exactly the sum of the placed orders. */
function countersExact({ orders, counters }: StoredState): Breach[] {
  const placed = new Map<string, { amount: bigint; count: bigint }>()
  for (const { outcome, uses } of orders) {
    for (const { counter, amount } of outcome === 'SUCCESS' ? uses : []) {
      const sum = placed.get(counter) ?? { amount: 0n, count: 0n }
      placed.set(counter, { amount: sum.amount + amount, count: sum.count + 1n })
    }
  }
  const none = { amount: 0n, count: 0n }
  return [...new Set([...placed.keys(), ...counters.keys()])].flatMap((name) => {
    const sum = placed.get(name) ?? none
    const stored = counters.get(name) ?? none
    return sum.amount === stored.amount && sum.count === stored.count
      ? []
      : [
          {
            what:
              `${name} is ${stored.amount} in ${stored.count}, ` +
              `placed were ${sum.amount} in ${sum.count}`,
          },
        ]
  })
}

/** P3: no limit was exceeded. */
function limitsHold({ orders, counters }: StoredState): Breach[] {
  return orders.flatMap(({ outcome, uses }) =>
    (outcome === 'SUCCESS' ? uses : []).flatMap(({ counter, amountMax, countMax }) => {
      const { amount, count } = counters.get(counter) ?? { amount: 0n, count: 0n }
      const over = (amountMax ?? amount) < amount || (countMax ?? count) < count
      return over
        ? [{ what: `${counter} is ${amount} in ${count}, above ${amountMax} in ${countMax}` }]
        : []
    }),
  )
}

/** An order code is held by the one order placed with it, and by none that was not placed. */
function oneOrderPerCode({ orders, holders }: StoredState): Breach[] {
  const placed = orders.filter(
    ({ outcome, orderCode }) => outcome === 'SUCCESS' && orderCode !== undefined,
  )
  const wrong = placed.filter(({ orderId, orderCode = '' }) => holders.get(orderCode) !== orderId)
  const held = new Set(placed.map(({ orderCode }) => orderCode))
  return [
    ...wrong.map(({ orderId, orderCode = '' }) => ({
      what: `${orderId} was placed with a code that ${holders.get(orderCode) ?? 'nobody'} holds`,
    })),
    ...[...holders].flatMap(([name, orderId]) =>
      held.has(name) ? [] : [{ what: `${orderId} holds a code and was not placed` }],
    ),
  ]
}

/** The sets of open orders are empty at the end. */
const noOpenOrders = ({ open }: StoredState): Breach[] =>
  open.map((orderId) => ({ what: `${orderId} is in the set of open orders` }))

/** Each order is in Redis or in the archive, and equal where it is in both. */
const archivedEqual = ({ wrongInArchive = new Map() }: StoredState): Breach[] =>
  [...wrongInArchive].map(([orderId, what]) => ({ what: `${orderId} ${what}` }))

/** P7: with no active fault, Redis forgets what is concluded. */
const forgottenInTime = ({ notForgotten = [] }: StoredState): Breach[] =>
  notForgotten.map((orderId) => ({ what: `${orderId} is in Redis long after its time` }))

/** P7: a run in which no forgotten order was asked for has shown nothing. */
const archiveAnswers = ({ answersFromArchive }: StoredState): Breach[] =>
  answersFromArchive === 0 ? [{ what: 'no final answer came out of the archive' }] : []

/** The rules for all that is stored. */
const storedRules = {
  countersExact,
  limitsHold,
  oneOrderPerCode,
  noOpenOrders,
  archivedEqual,
  forgottenInTime,
  archiveAnswers,
  ...eventRules,
} satisfies Record<string, (stored: StoredState) => Breach[]>

export type Rule = keyof typeof orderRules | keyof typeof storedRules
export const ruleNames = [
  ...Object.keys(orderRules),
  ...Object.keys(storedRules),
] as readonly Rule[]

/** Checks the promises against all calls and what is stored at the end. */
export function checkHistory(
  {
    calls,
    pauses,
    expected = new Map(),
  }: {
    calls: readonly RecordedCall[]
    pauses: readonly Pause[]
    expected?: ReadonlyMap<string, ExpectedOutcomes>
  },
  stored: StoredState,
  bounds: Bounds,
): Violation[] {
  const context: CheckContext = { stored, bounds, pauses: new Pauses(pauses), expected }
  const storedById = new Map(stored.orders.map((order) => [order.orderId, order]))
  const callsById = Map.groupBy(calls, ({ orderId }) => orderId)
  const orderIds = new Set([...callsById.keys(), ...storedById.keys(), ...stored.decisions.keys()])
  const violations: Violation[] = []
  for (const orderId of orderIds) {
    const own = callsById.get(orderId) ?? []
    const order = {
      orderId,
      calls: own,
      answered: own.filter(isAnswered),
      stored: storedById.get(orderId),
    }
    for (const [rule, find] of Object.entries(orderRules))
      for (const { what, calls: shown = own } of find(order, context))
        violations.push({ rule: rule as Rule, orderId, what, calls: shown })
  }
  for (const [rule, find] of Object.entries(storedRules))
    for (const { what } of find(stored))
      violations.push({ rule: rule as Rule, orderId: undefined, what, calls: [] })
  return violations
}

function describeAnswer(call: AnsweredCall): string {
  const { code, orderCode } = call.ending
  return orderCode === undefined ? code : `${orderCode} (to an inquiry)`
}
