import { createWriteStream, type WriteStream } from 'node:fs'
import { type FinalCode, type PlaceOrderRequest, termsOf } from '@placeorder/protocol'
import { orderIdOf } from '@placeorder/store'

/** How a call ended for its caller. */
export type CallEnding =
  | {
      kind: 'ANSWERED'
      status: number
      /** Whether the answer's signature is good. */
      verified: boolean
      /** The code of `result`. */
      code: string
      /** The code of an inquiry's `orderResult`. */
      orderCode?: string | undefined
      paymentRequestId?: string | undefined
    }
  /** Nobody listened: the request was never sent. */
  | { kind: 'REFUSED' }
  /** The caller closed the connection early, on purpose. */
  | { kind: 'DROPPED' }
  /** The caller aborted the call, since no answer came in time. */
  | { kind: 'SILENT' }
  /** The connection broke before the answer. */
  | { kind: 'BROKEN'; why: string }

/** One request and how it ended. Times in ms, by the callers' one clock. */
export type RecordedCall = {
  endpoint: 'place' | 'inquire'
  orderId: string
  /** The name of the ingress it was sent to. */
  ingress: string
  /** What a repeat must agree in (see `termsOf`); '' for an inquiry. */
  terms: string
  sentAt: number
  endedAt: number
  ending: CallEnding
}

/** The name of the callers' own process in pauses. */
export const CALLERS = 'callers'

/**
 * A time in which an ingress, or the callers, could not run for `ms`: killed or ended and not
 * started again yet; stopped; or starved of CPU time. Times in ms.
 */
export type Pause = {
  who: string
  why: 'KILLED' | 'ENDED' | 'STOPPED' | 'STARVED'
  from: number
  to: number
  ms: number
}

/** A fault that was injected, for those who read a history. */
export type Fault = { kind: string; on: string; at: number }

/** The outcomes that are right for an order with these terms. */
export type ExpectedOutcomes = { terms: string; outcomes: readonly FinalCode[] }

/**
 * All calls, pauses and faults of a run, in the order in which they ended. Optionally also written
 * to a file of JSON lines.
 */
export class History {
  readonly calls: RecordedCall[] = []
  readonly pauses: Pause[] = []
  readonly faults: Fault[] = []
  /** By `OrderId`. */
  readonly expected = new Map<string, ExpectedOutcomes>()
  readonly #file: WriteStream | undefined

  constructor(path?: string) {
    this.#file = path === undefined ? undefined : createWriteStream(path)
  }

  /** Now (ms), by the monotonic clock that all entries use. */
  static now(): number {
    return performance.timeOrigin + performance.now()
  }

  expects(order: PlaceOrderRequest, outcomes: readonly FinalCode[]): void {
    this.expected.set(orderIdOf(order), { terms: termsOf(order), outcomes })
  }

  called(call: RecordedCall): void {
    this.calls.push(call)
    this.#file?.write(`${JSON.stringify({ call })}\n`)
  }

  paused(pause: Pause): void {
    this.pauses.push(pause)
    this.#file?.write(`${JSON.stringify({ pause })}\n`)
  }

  fault(fault: Fault): void {
    this.faults.push(fault)
    this.#file?.write(`${JSON.stringify({ fault })}\n`)
  }

  /** Whether a fault of each of these kinds was injected. */
  hasFaults(kinds: readonly string[]): boolean {
    return kinds.every((name) => this.faults.some(({ kind }) => kind === name))
  }

  async close(): Promise<void> {
    const file = this.#file
    if (file !== undefined) await new Promise<void>((resolve) => file.end(resolve))
  }
}
