import { isFinal, isResultCode } from '@placeorder/protocol'
import type { Call, Ending, Expected, Pause } from './history.ts'
import { Pauses } from './pauses.ts'

/** What an order takes from one counter if it is placed. */
export type Take = {
  counter: string
  amount: bigint
  amountMax: bigint | undefined
  countMax: number | undefined
}

/** An order as it is kept at the end. */
export type StoredOrder = {
  orderId: string
  terms: string
  paymentRequestId: string
  /** Undefined while it is open. */
  outcome: string | undefined
  takes: Take[]
  /** The name its order code's holder is kept under; undefined for an order with a code for many. */
  orderCode: string | undefined
}

/** What Redis holds at the end. */
export type StoredState = {
  orders: StoredOrder[]
  /** The orderIds of the sets of open orders. */
  open: string[]
  counters: Map<string, { amount: bigint; count: bigint }>
  /** Who holds each order code, by the holder's name. */
  holders: Map<string, string>
  /** How orderIds were decided, as far as that is still kept. */
  decisions: Map<string, string>
}

export type Bounds = {
  /** WAIT_MS of the ingresses. */
  waitMs: number
  /** From this time on (ms) nothing was broken any more, and every order could be concluded. */
  quietFrom: number
  /** Orders that were still open a bounded time after the last fault, with nobody asking. */
  stillOpen?: readonly string[]
}

/** A promise that was broken, with the calls that show it. */
export type Violation = { rule: Rule; orderId: string | undefined; what: string; calls: Call[] }

/** P4: an answer takes `WAIT_MS` and this much more at most (ms). */
const GRACE_MS = 200

type Answered = Extract<Ending, { kind: 'ANSWERED' }>
type AnsweredCall = Call & { ending: Answered }

/** All there is to know of one orderId. */
type Story = {
  orderId: string
  calls: Call[]
  answered: AnsweredCall[]
  kept: StoredOrder | undefined
}

type World = {
  kept: StoredState
  bounds: Bounds
  pauses: Pauses
  /** What is right, by `OrderId`. */
  expected: ReadonlyMap<string, Expected>
}

type Found = { what: string; calls?: Call[] }

const isAnswered = (call: Call): call is AnsweredCall => call.ending.kind === 'ANSWERED'

/** The order's own code that an answer tells: of a repeat its result, of an inquiry its orderResult. */
function toldOf({ endpoint, ending }: AnsweredCall): string | undefined {
  if (endpoint === 'place') return ending.code
  return ending.code === 'SUCCESS' ? ending.orderCode : undefined
}

/** The final code an answer gives the order. An inconsistent repeat is refused, which decides nothing of the order. */
function finalOf(call: AnsweredCall): string | undefined {
  const told = toldOf(call)
  if (told === undefined || told === 'REPEAT_REQ_INCONSISTENT') return undefined
  return isResultCode(told) && isFinal(told) ? told : undefined
}

/**
 * What an answer says of how far its order had come while the call was under way, from `least` to `most`: 0 never
 * taken in, 1 open, 2 concluded. UNKNOWN_EXCEPTION and REQUEST_TRAFFIC_EXCEED_LIMIT say nothing of it.
 */
function reachOf(call: AnsweredCall): { least: number; most: number } {
  const told = toldOf(call)
  if (finalOf(call) !== undefined) return { least: 2, most: 2 }
  if (told === 'PAYMENT_IN_PROCESS') return { least: 1, most: 1 }
  if (told === 'REPEAT_REQ_INCONSISTENT') return { least: 1, most: 2 }
  if (call.ending.code === 'ORDER_NOT_EXIST') return { least: 0, most: 0 }
  return { least: 0, most: 2 }
}

/**
 * P1 and P5. The order's outcome is a register that is written once. Every final answer, from any endpoint and at any time,
 * is the outcome that is kept, and every paymentRequestId the one that is kept; SUCCESS never comes without one.
 */
function oneAnswer({ answered, kept }: Story): Found[] {
  return answered.flatMap((call): Found[] => {
    const final = finalOf(call)
    const { paymentRequestId } = call.ending
    if (final !== undefined && kept?.outcome !== final)
      return [
        { what: `${final} was answered, ${kept?.outcome ?? 'nothing'} is kept`, calls: [call] },
      ]
    if (final === 'SUCCESS' && paymentRequestId === undefined)
      return [{ what: 'SUCCESS without a paymentRequestId', calls: [call] }]
    if (paymentRequestId !== undefined && paymentRequestId !== kept?.paymentRequestId)
      return [
        {
          what: `paymentRequestId ${paymentRequestId}, kept is ${kept?.paymentRequestId}`,
          calls: [call],
        },
      ]
    return []
  })
}

/**
 * P1 and P2 in time. Unknown, open, concluded: an order only ever goes forward. An answer to a request that was
 * sent after another answer had been received never says less than that one did: after a final answer nobody hears
 * PAYMENT_IN_PROCESS, and after any answer that shows the order was taken in, nobody hears ORDER_NOT_EXIST. A U that
 * says nothing of the order (something broke; too much traffic) contradicts nothing.
 */
function neverBack({ answered }: Story): Found[] {
  return answered.flatMap((later) => {
    const { most } = reachOf(later)
    const earlier = answered.find(
      (call) => call.endedAt <= later.sentAt && reachOf(call).least > most,
    )
    return earlier === undefined
      ? []
      : [
          {
            what: `${sayOf(later)} to a request sent after ${sayOf(earlier)} was received`,
            calls: [earlier, later],
          },
        ]
  })
}

/** Inconsistent repeats are refused, consistent ones never; what is told of the order is told to who agrees with it. */
function inconsistentExactly({ answered, kept }: Story): Found[] {
  return answered.flatMap((call): Found[] => {
    if (call.endpoint !== 'place') return []
    const agrees = kept === undefined || call.terms === kept.terms
    const refused = call.ending.code === 'REPEAT_REQ_INCONSISTENT'
    if (agrees && refused)
      return [{ what: 'a repeat that agrees was called inconsistent', calls: [call] }]
    if (!agrees && !refused && reachOf(call).least > 0)
      return [{ what: `${call.ending.code} to a repeat that does not agree`, calls: [call] }]
    return []
  })
}

/** P2: what an answer shows to be taken in is kept, as it was sent; and nothing is kept that nobody sent. */
function acceptedIsKept({ calls, answered, kept }: Story): Found[] {
  if (kept === undefined) {
    const shows = answered.find((call) => reachOf(call).least > 0)
    return shows === undefined
      ? []
      : [{ what: `${sayOf(shows)}, but no order is kept`, calls: [shows] }]
  }
  const sent = calls.filter(
    ({ endpoint, ending }) => endpoint === 'place' && ending.kind !== 'REFUSED',
  )
  return sent.some(({ terms }) => terms === kept.terms)
    ? []
    : [{ what: `an order is kept with terms that nobody sent: ${kept.terms}` }]
}

/** P2: every order that was taken in has an outcome. */
function everyOrderEnds({ kept }: Story): Found[] {
  return kept === undefined || kept.outcome !== undefined
    ? []
    : [{ what: 'the order is still open' }]
}

/** P6: who only ever heard REQUEST_TRAFFIC_EXCEED_LIMIT was refused before anything was stored. */
function refusedLeavesNothing({ calls, kept }: Story): Found[] {
  const places = calls.filter(({ endpoint }) => endpoint === 'place')
  const refused = places.every(
    ({ ending }) =>
      ending.kind === 'REFUSED' ||
      (ending.kind === 'ANSWERED' && ending.code === 'REQUEST_TRAFFIC_EXCEED_LIMIT'),
  )
  return kept !== undefined && places.length > 0 && refused
    ? [{ what: 'every request was refused at the endpoint, and yet the order is kept' }]
    : []
}

/** P4: HTTP 200, signed, and one of the 27 codes; an inquiry may besides say that there is no such order. */
function inOurWords({ answered }: Story): Found[] {
  return answered.flatMap((call): Found[] => {
    const { status, verified, code, orderCode } = call.ending
    if (status !== 200) return [{ what: `HTTP ${status}`, calls: [call] }]
    if (!verified) return [{ what: 'the answer is not signed by us', calls: [call] }]
    const known = isResultCode(code) || (call.endpoint === 'inquire' && code === 'ORDER_NOT_EXIST')
    if (!known) return [{ what: `${code} is no result code`, calls: [call] }]
    if (call.endpoint === 'inquire' && code === 'SUCCESS' && !isResultCode(orderCode ?? ''))
      return [{ what: `${orderCode} is no result code of an order`, calls: [call] }]
    return []
  })
}

/**
 * P4: within WAIT_MS + 200 ms, not counting the time in which ingress or callers were kept from running. Who gave up
 * waiting shows that no answer had come by then.
 */
function inTime({ calls }: Story, { bounds, pauses }: World): Found[] {
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
 * P4: a request that is not dropped by its caller is answered, unless its ingress was killed. One that was told to end
 * may refuse new connections, and breaks none.
 */
function answeredUnlessKilled({ calls }: Story, { pauses }: World): Found[] {
  return calls.flatMap((call) => {
    const { ending } = call
    if (ending.kind !== 'BROKEN' && ending.kind !== 'REFUSED') return []
    const gone = [...pauses.of(call.ingress, call.sentAt, call.endedAt)].some(
      ({ why }) => why === 'KILLED' || (why === 'ENDED' && ending.kind === 'REFUSED'),
    )
    const what = ending.kind === 'BROKEN' ? ending.why : 'the connection was refused'
    return gone
      ? []
      : [{ what: `no answer from an ingress that was there: ${what}`, calls: [call] }]
  })
}

/** With nothing broken, who asks until he knows gets to know: the last answer is final, or does not concern the outcome. */
function finalWhenQuiet({ answered }: Story, { bounds }: World): Found[] {
  const last = answered
    .filter(({ sentAt }) => sentAt >= bounds.quietFrom)
    .toSorted((a, b) => a.endedAt - b.endedAt)
    .at(-1)
  if (last === undefined) return []
  const told = toldOf(last) ?? last.ending.code
  const fits =
    finalOf(last) !== undefined || ['REPEAT_REQ_INCONSISTENT', 'ORDER_NOT_EXIST'].includes(told)
  return fits ? [] : [{ what: `${told} with nothing broken`, calls: [last] }]
}

/** P3: a placed order, and only a placed order, was decided so; and an order's outcome is its decision. */
function decidedOnce({ orderId, kept }: Story, { kept: { decisions } }: World): Found[] {
  const decision = decisions.get(orderId)
  if (decision === undefined || decision === kept?.outcome) return []
  return [{ what: `decided ${decision}, but ${kept?.outcome ?? 'nothing'} is kept` }]
}

/** P3: an order refused for a limit did not fit. Counters only grow, so that still shows at the end. */
function refusedForAReason({ kept }: Story, { kept: { counters, holders } }: World): Found[] {
  const counterOf = ({ counter }: Take) => counters.get(counter) ?? { amount: 0n, count: 0n }
  const reasons: Record<string, (order: StoredOrder) => boolean> = {
    PAYMENT_AMOUNT_EXCEED_LIMIT: ({ takes }) =>
      takes.some(
        (take) =>
          take.amountMax !== undefined && counterOf(take).amount + take.amount > take.amountMax,
      ),
    PAYMENT_COUNT_EXCEED_LIMIT: ({ takes }) =>
      takes.some(
        (take) => take.countMax !== undefined && counterOf(take).count + 1n > take.countMax,
      ),
    ORDER_IS_CLOSED: ({ orderId, orderCode = '' }) =>
      ![undefined, orderId].includes(holders.get(orderCode)),
  }
  if (kept?.outcome === undefined) return []
  const reason = reasons[kept.outcome]
  return reason === undefined || reason(kept)
    ? []
    : [{ what: `${kept.outcome}, for which there was no reason` }]
}

/** An order that was stored as it was meant has an outcome that is right for it, and no other order's. */
function rightOutcome({ orderId, kept }: Story, { expected }: World): Found[] {
  const right = expected.get(orderId)
  if (kept?.outcome === undefined || right === undefined || right.terms !== kept.terms) return []
  return right.outcomes.some((outcome) => outcome === kept.outcome)
    ? []
    : [{ what: `${kept.outcome} is stored, right would be ${right.outcomes.join(' or ')}` }]
}

/** P2: with nothing broken, an order is concluded in bounded time, and needs nobody to ask for that. */
const concludedUnasked = ({ orderId }: Story, { bounds: { stillOpen = [] } }: World): Found[] =>
  stillOpen.includes(orderId) ? [{ what: 'still open long after the last fault' }] : []

/** What holds for each orderId by itself. */
const storyRules = {
  oneAnswer,
  neverBack,
  inconsistentExactly,
  acceptedIsKept,
  everyOrderEnds,
  refusedLeavesNothing,
  inOurWords,
  inTime,
  answeredUnlessKilled,
  finalWhenQuiet,
  decidedOnce,
  refusedForAReason,
  rightOutcome,
  concludedUnasked,
} satisfies Record<string, (story: Story, world: World) => Found[]>

/** P3: each counter is exactly what was placed, and nothing is counted that was not. */
function countersExact({ orders, counters }: StoredState): Found[] {
  const placed = new Map<string, { amount: bigint; count: bigint }>()
  for (const { outcome, takes } of orders) {
    for (const { counter, amount } of outcome === 'SUCCESS' ? takes : []) {
      const sum = placed.get(counter) ?? { amount: 0n, count: 0n }
      placed.set(counter, { amount: sum.amount + amount, count: sum.count + 1n })
    }
  }
  const none = { amount: 0n, count: 0n }
  return [...new Set([...placed.keys(), ...counters.keys()])].flatMap((name) => {
    const sum = placed.get(name) ?? none
    const kept = counters.get(name) ?? none
    return sum.amount === kept.amount && sum.count === kept.count
      ? []
      : [
          {
            what: `${name} is ${kept.amount} in ${kept.count}, placed were ${sum.amount} in ${sum.count}`,
          },
        ]
  })
}

/** P3: no limit was passed. */
function limitsHold({ orders, counters }: StoredState): Found[] {
  return orders.flatMap(({ outcome, takes }) =>
    (outcome === 'SUCCESS' ? takes : []).flatMap(({ counter, amountMax, countMax }) => {
      const { amount, count } = counters.get(counter) ?? { amount: 0n, count: 0n }
      const over = (amountMax ?? amount) < amount || (countMax ?? count) < count
      return over
        ? [{ what: `${counter} is ${amount} in ${count}, past ${amountMax} in ${countMax}` }]
        : []
    }),
  )
}

/** An order code is held by the one order it was placed with, and by none that was not placed. */
function oneOrderACode({ orders, holders }: StoredState): Found[] {
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
const noneIsOpen = ({ open }: StoredState): Found[] =>
  open.map((orderId) => ({ what: `${orderId} is in the set of open orders` }))

/** What holds for all that is kept. */
const keptRules = { countersExact, limitsHold, oneOrderACode, noneIsOpen } satisfies Record<
  string,
  (kept: StoredState) => Found[]
>

export type Rule = keyof typeof storyRules | keyof typeof keptRules
export const rules = [...Object.keys(storyRules), ...Object.keys(keptRules)] as readonly Rule[]

/** Decides whether the promises were kept, from all that was asked and answered and what is kept at the end. */
export function checkHistory(
  {
    calls,
    pauses,
    expected = new Map(),
  }: {
    calls: readonly Call[]
    pauses: readonly Pause[]
    expected?: ReadonlyMap<string, Expected>
  },
  kept: StoredState,
  bounds: Bounds,
): Violation[] {
  const world: World = { kept, bounds, pauses: new Pauses(pauses), expected }
  const keptById = new Map(kept.orders.map((order) => [order.orderId, order]))
  const callsById = Map.groupBy(calls, ({ orderId }) => orderId)
  const orderIds = new Set([...callsById.keys(), ...keptById.keys(), ...kept.decisions.keys()])
  const violations: Violation[] = []
  for (const orderId of orderIds) {
    const own = callsById.get(orderId) ?? []
    const story = {
      orderId,
      calls: own,
      answered: own.filter(isAnswered),
      kept: keptById.get(orderId),
    }
    for (const [rule, find] of Object.entries(storyRules))
      for (const { what, calls: shown = own } of find(story, world))
        violations.push({ rule: rule as Rule, orderId, what, calls: shown })
  }
  for (const [rule, find] of Object.entries(keptRules))
    for (const { what } of find(kept))
      violations.push({ rule: rule as Rule, orderId: undefined, what, calls: [] })
  return violations
}

function sayOf(call: AnsweredCall): string {
  const { code, orderCode } = call.ending
  return orderCode === undefined ? code : `${orderCode} (told to an inquiry)`
}
