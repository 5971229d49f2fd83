import type { CheckEntry, Facts } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'
import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleAll,
  isBrokenCircuitError,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel'
import type { Check } from '../judge-order.ts'

/** Asks one check about one order. May reject, hang or throw: it is somebody else's. */
export type Ask = (facts: Facts, signal: AbortSignal) => Promise<FinalCode>

/** What an operator is told of the acquirer's checks. */
export type ChecksSeen = {
  /** These checks are in force from now on, none of them with an open circuit. */
  inForce: (names: readonly string[]) => void
  /** A call gave no code that can be relied on. */
  failed: (name: string, reason: unknown) => void
  /** A check is no longer called since it kept failing, or is called again. */
  circuit: (name: string, open: boolean) => void
}

/** So many calls in a row that fail open the circuit: one bad answer is no outage, and five are no chance. */
const FAILURES_IN_A_ROW = 5

/** With an open circuit, one call is tried this long (ms) after the last: a check that is back is noticed as soon. */
const TRY_AGAIN_MS = 1_000

/** A check gave no code that can be relied on: the order is undecided. */
export class CheckFault extends Error {
  /** The circuit that kept the check from being called; undefined if it was called. */
  readonly circuit: string | undefined
  constructor(name: string, cause: unknown) {
    super(`check ${name} could not tell: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
    this.name = 'CheckFault'
    this.circuit = isBrokenCircuitError(cause) ? name : undefined
  }
}

/**
 * Makes a check of something that answers: it is given `timeoutMs` for an order, and while it keeps failing it is not
 * called, so that orders that need it are told at once that they are undecided and hold nothing up.
 */
export function guard({ name, after, timeoutMs }: CheckEntry, ask: Ask, seen: ChecksSeen): Check {
  const breaker = circuitBreaker(handleAll, {
    breaker: new ConsecutiveBreaker(FAILURES_IN_A_ROW),
    halfOpenAfter: TRY_AGAIN_MS,
  })
  breaker.onBreak(() => seen.circuit(name, true))
  breaker.onReset(() => seen.circuit(name, false))
  breaker.onFailure(({ reason }) => seen.failed(name, 'error' in reason ? reason.error : reason))
  const guarded = wrap(breaker, timeout(timeoutMs, TimeoutStrategy.Aggressive))
  return {
    name,
    after,
    isOpen: (circuit) => circuit === name && breaker.state !== CircuitState.Closed,
    run: async (facts, signal) => {
      try {
        return await guarded.execute((context) => ask(facts, context.signal), signal)
      } catch (cause) {
        throw new CheckFault(name, cause)
      }
    },
  }
}
