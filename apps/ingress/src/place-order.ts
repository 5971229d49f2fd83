import { answer, type PlaceOrderAnswer } from '@placeorder/protocol'
import {
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
  /** Told why an order is answered U. */
  onFault: (orderId: OrderId, error: unknown, what: string) => void
}

/** How long the last look at the record may take (ms): it comes after the wait, and P4 leaves 200 ms for all of it. */
const LAST_LOOK_MS = 100

/**
 * Takes an order in and deadlines, within bounds, for its outcome. Never throws for what Redis does: that is a U. `expecting` is
 * told of the answer it will have, most likely, once it is taken in.
 */
export function placeOrder(
  incoming: IncomingOrder,
  deps: PlaceOrderDeps,
  expecting: (answer: PlaceOrderAnswer) => void = () => {},
): Promise<PlaceOrderAnswer> {
  const orderId = orderIdOf(incoming.order)
  const arrivedAt = performance.now()
  return deps.deadlines.within(deps.waitMs, (signal) =>
    deps.orders.during(orderId, signal, async (announced) => {
      const taken = await deps.intake.accept(incoming, signal).catch((error: unknown) => {
        deps.onFault(orderId, error, 'an order may be taken in, or not')
      })
      deps.stage('accept', (performance.now() - arrivedAt) / 1000)
      if (taken === undefined) return answer('UNKNOWN_EXCEPTION')
      if (taken.kind === 'CONCLUDED')
        return final(orderId, taken.outcome, taken.paymentRequestId, signal, deps)
      const held = isReplicated(orderId, undefined, signal, deps) // Asked now: at the deadline there is no time for it.
      if (taken.kind === 'INCONSISTENT')
        return answer((await held) ? 'REPEAT_REQ_INCONSISTENT' : 'UNKNOWN_EXCEPTION')
      expecting(answer('SUCCESS', taken.paymentRequestId))
      const told = await announced.catch(() => undefined)
      if (told === undefined) return lastLook(orderId, taken.paymentRequestId, held, deps)
      return isOutcome(told)
        ? final(orderId, told, taken.paymentRequestId, signal, deps)
        : answer(told)
    }),
  )
}

/** An announcement is a hint and may be missed; the record is the truth. */
function lastLook(
  orderId: OrderId,
  paymentRequestId: string,
  held: Promise<boolean>,
  deps: PlaceOrderDeps,
): Promise<PlaceOrderAnswer> {
  return deps.deadlines.within(LAST_LOOK_MS, async (signal) => {
    const outcome = await before(deps.orders.outcomeOf(orderId), signal).catch((error: unknown) => {
      if (!signal.aborted) deps.onFault(orderId, error, 'the outcome of an order cannot be read')
    })
    if (outcome === undefined)
      return answer((await held) ? 'PAYMENT_IN_PROCESS' : 'UNKNOWN_EXCEPTION')
    return final(orderId, outcome, paymentRequestId, signal, deps)
  })
}

/** A final answer counts only once as many replicas have it as the operator wants; before that we cannot tell. */
async function final(
  orderId: OrderId,
  outcome: Outcome,
  paymentRequestId: string,
  signal: AbortSignal,
  deps: PlaceOrderDeps,
): Promise<PlaceOrderAnswer> {
  const replicated = await isReplicated(orderId, outcome, signal, deps)
  const { code, passThroughInfo } = partsOf(outcome)
  return replicated ? answer(code, paymentRequestId, passThroughInfo) : answer('UNKNOWN_EXCEPTION')
}

/** Whether enough replicas have an order, with this outcome if one is given, so that no failover takes it back. */
function isReplicated(
  orderId: OrderId,
  outcome: Outcome | undefined,
  signal: AbortSignal,
  { durability, onFault }: PlaceOrderDeps,
): Promise<boolean> {
  return before(durability.replicated(orderId, outcome), signal).catch((error: unknown) => {
    onFault(orderId, error, 'an order may be on its replicas, or not')
    return false
  })
}
