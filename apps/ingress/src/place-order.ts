import { answer, type PlaceOrderAnswer } from '@placeorder/protocol'
import {
  type Accepted,
  type Durability,
  type IncomingOrder,
  type Intake,
  isOutcome,
  type OrderId,
  type Orders,
  type Outcome,
  orderIdOf,
  partsOf,
} from '@placeorder/store'
import type { Metrics } from '@placeorder/telemetry'
import { before, type Deadlines } from './deadlines.ts'

export type PlaceOrderDeps = {
  intake: Pick<Intake, 'accept'>
  orders: Pick<Orders, 'during' | 'outcomeOf'>
  durability: Pick<Durability, 'replicated'>
  deadlines: Deadlines
  waitMs: number
  stage: Metrics['stage']
  /** Notified why an order is answered U. */
  onFault: (orderId: OrderId, error: unknown, what: string) => void
}

/**
 * How long the last read of the record may take (ms): it comes after the wait, and P4 leaves 200 ms
 * for everything after it.
 */
const LAST_READ_MS = 100

/**
 * Accepts an order and waits, within bounds, for its outcome. A failure of Redis is answered U, and
 * not thrown. `onLikelyAnswer` is called with the most likely answer once the order is accepted.
 */
export function placeOrder(
  incoming: IncomingOrder,
  deps: PlaceOrderDeps,
  onLikelyAnswer: (answer: PlaceOrderAnswer) => void = () => {},
): Promise<PlaceOrderAnswer> {
  const orderId = orderIdOf(incoming.order)
  const arrivedAt = performance.now()
  return deps.deadlines.within(deps.waitMs, (signal) =>
    deps.orders.during(orderId, signal, async (announced) => {
      const accepted = await deps.intake.accept(incoming, signal).catch((error: unknown) => {
        deps.onFault(orderId, error, 'it is not known whether the order was accepted')
      })
      deps.stage('accept', (performance.now() - arrivedAt) / 1000)
      if (accepted === undefined) return answer('UNKNOWN_EXCEPTION')
      if (accepted.kind !== 'OPEN' && accepted.archived) return archived(accepted)
      if (accepted.kind === 'CONCLUDED')
        return final(orderId, accepted.outcome, accepted.paymentRequestId, signal, deps)
      // Started now: at the deadline there is no time for it.
      const held = isReplicated(orderId, undefined, signal, deps)
      if (accepted.kind === 'INCONSISTENT')
        return answer((await held) ? 'REPEAT_REQ_INCONSISTENT' : 'UNKNOWN_EXCEPTION')
      onLikelyAnswer(answer('SUCCESS', accepted.paymentRequestId))
      const outcome = await announced.catch(() => undefined)
      if (outcome === undefined) return lastRead(orderId, accepted.paymentRequestId, held, deps)
      return isOutcome(outcome)
        ? final(orderId, outcome, accepted.paymentRequestId, signal, deps)
        : answer(outcome)
    }),
  )
}

/** What the archive has is final, and no failover of Redis undoes it. */
function archived(accepted: Exclude<Accepted, { kind: 'OPEN' }>): PlaceOrderAnswer {
  if (accepted.kind === 'INCONSISTENT') return answer('REPEAT_REQ_INCONSISTENT')
  const { code, passThroughInfo } = partsOf(accepted.outcome)
  return answer(code, accepted.paymentRequestId, passThroughInfo)
}

/** An announcement may be missed; the record has the outcome. */
function lastRead(
  orderId: OrderId,
  paymentRequestId: string,
  held: Promise<boolean>,
  deps: PlaceOrderDeps,
): Promise<PlaceOrderAnswer> {
  return deps.deadlines.within(LAST_READ_MS, async (signal) => {
    const outcome = await before(deps.orders.outcomeOf(orderId), signal).catch((error: unknown) => {
      if (!signal.aborted) deps.onFault(orderId, error, 'the outcome of an order cannot be read')
    })
    if (outcome === undefined)
      return answer((await held) ? 'PAYMENT_IN_PROCESS' : 'UNKNOWN_EXCEPTION')
    return final(orderId, outcome, paymentRequestId, signal, deps)
  })
}

/**
 * A final answer is given only once as many replicas have it as the operator wants; before that it
 * is U.
 */
async function final(
  orderId: OrderId,
  outcome: Outcome,
  paymentRequestId: string,
  signal: AbortSignal,
  deps: PlaceOrderDeps,
): Promise<PlaceOrderAnswer> {
  const replicated = await isReplicated(orderId, outcome, signal, deps, paymentRequestId)
  const { code, passThroughInfo } = partsOf(outcome)
  return replicated ? answer(code, paymentRequestId, passThroughInfo) : answer('UNKNOWN_EXCEPTION')
}

/**
 * Whether enough replicas have an order, with this outcome and paymentRequestId if they are given,
 * so that no failover undoes it. A claim that was lost with its master may have been followed by
 * another one, with an id of its own.
 */
function isReplicated(
  orderId: OrderId,
  outcome: Outcome | undefined,
  signal: AbortSignal,
  { durability, onFault }: PlaceOrderDeps,
  paymentRequestId?: string,
): Promise<boolean> {
  const replicated = durability.replicated(orderId, outcome, paymentRequestId)
  return before(replicated, signal).catch((error: unknown) => {
    onFault(orderId, error, 'it is not known whether the replicas have the order')
    return false
  })
}
