import type { CheckEntry, Facts } from '@placeorder/decision'
import type { Outcome } from '@placeorder/store'
import {
  type CircuitBreakerPolicy,
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

/** Calls one check for one order. It is foreign code: it may reject, hang or throw. */
export type Ask = (facts: Facts, signal: AbortSignal) => Promise<Outcome>

/** Is notified of how the acquirer's checks do. */
export type ChecksObserver = {
  /** These checks are in force from now on, none of them with an open circuit. */
  inForce: (names: readonly string[]) => void
  /** A call returned no valid final code. */
  failed: (name: string, reason: unknown) => void
  /** A check is no longer called for a client because it kept failing, or is called again. */
  circuit: (changed: CircuitChange) => void
}

export type CircuitChange = {
  check: string
  clientId: string
  open: boolean
  /** For how many clients it is open now. */
  openFor: number
}

/**
 * This many failing calls in a row for one client open its circuit: a single failure may be chance.
 */
const FAILURES_IN_A_ROW = 5

/**
 * With an open circuit, one call is tried this long (ms) after the last, so a check that works
 * again is soon noticed.
 */
const TRY_AGAIN_MS = 1_000

/** A check returned no valid final code: the order is undecided. */
export class CheckFault extends Error {
  /** The open circuit that kept the check from being called; undefined if it was called. */
  readonly circuit: string | undefined
  constructor(name: string, circuit: string, cause: unknown) {
    super(`check ${name} could not decide: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
    this.name = 'CheckFault'
    this.circuit = isBrokenCircuitError(cause) ? circuit : undefined
  }
}

/**
 * Guards a check: it has `timeoutMs` for each order, and while it keeps failing for a client it is
 * not called for that client's orders, which are undecided at once and delay nothing. Each client
 * has its own circuit: its orders may be why the check fails.
 */
export function guard(
  { name, after, timeoutMs }: CheckEntry,
  ask: Ask,
  observer: ChecksObserver,
): Check {
  const circuits = new Circuits(name, observer)
  const timed = timeout(timeoutMs, TimeoutStrategy.Aggressive)
  return {
    name,
    after,
    isOpen: (circuit) => circuits.isOpen(circuit),
    run: async (facts, signal) => {
      const circuit = circuits.of(facts.clientId)
      try {
        const guarded = wrap(circuit.breaker, timed)
        return await guarded.execute((context) => ask(facts, context.signal), signal)
      } catch (cause) {
        throw new CheckFault(name, circuit.name, cause)
      }
    },
  }
}

type Circuit = { name: string; breaker: CircuitBreakerPolicy }

/** The circuits of one check: at most one for each client whose orders are judged. */
class Circuits {
  readonly #check: string
  readonly #observer: ChecksObserver
  readonly #circuits = new Map<string, Circuit>()
  readonly #open = new Set<string>()

  constructor(check: string, observer: ChecksObserver) {
    this.#check = check
    this.#observer = observer
  }

  of(clientId: string): Circuit {
    const name = this.#nameOf(clientId)
    const known = this.#circuits.get(name)
    if (known !== undefined) return known
    const circuit = { name, breaker: this.#breakerFor(clientId) }
    this.#circuits.set(name, circuit)
    return circuit
  }

  isOpen(name: string): boolean {
    const { breaker } = this.#circuits.get(name) ?? {}
    return breaker !== undefined && breaker.state !== CircuitState.Closed
  }

  /** Neither part may contain a slash. */
  #nameOf(clientId: string): string {
    return `${this.#check}/${clientId}`
  }

  #breakerFor(clientId: string): CircuitBreakerPolicy {
    const breaker = circuitBreaker(handleAll, {
      breaker: new ConsecutiveBreaker(FAILURES_IN_A_ROW),
      halfOpenAfter: TRY_AGAIN_MS,
    })
    breaker.onBreak(() => this.#note(clientId, true))
    breaker.onReset(() => this.#note(clientId, false))
    breaker.onFailure(({ reason }) =>
      this.#observer.failed(this.#check, 'error' in reason ? reason.error : reason),
    )
    return breaker
  }

  /** A failed attempt while the circuit is open changes nothing. */
  #note(clientId: string, open: boolean): void {
    if (open === this.#open.has(clientId)) return
    if (open) this.#open.add(clientId)
    else this.#open.delete(clientId)
    const openFor = this.#open.size
    this.#observer.circuit({ check: this.#check, clientId, open, openFor })
  }
}
