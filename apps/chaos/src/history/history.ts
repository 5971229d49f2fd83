import { createWriteStream, type WriteStream } from 'node:fs'
import { type FinalCode, type PlaceOrderRequest, termsOf } from '@placeorder/protocol'
import { orderIdOf } from '@placeorder/store'

/** How a call ended for who called. */
export type Ending =
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
  /** The caller gave up and closed the connection. */
  | { kind: 'DROPPED' }
  /** The caller had waited long enough, and heard nothing. */
  | { kind: 'SILENT' }
  /** The connection broke before the answer. */
  | { kind: 'BROKEN'; why: string }

/** One request and how it ended. Times in ms, by the callers' one clock. */
export type Call = {
  endpoint: 'place' | 'inquire'
  orderId: string
  /** The name of the ingress it was sent to. */
  ingress: string
  /** What a repeat must agree in (see `termsOf`); '' for an inquiry. */
  terms: string
  sentAt: number
  endedAt: number
  ending: Ending
}

/** The callers' process itself, as an absentee. */
export const CALLERS = 'callers'

/**
 * A time in which an ingress, or the callers, could not run for `ms`, through no fault of theirs: it was killed, or told
 * to end, and not yet back; it was stopped; or the machine gave it no processor. Times in ms.
 */
export type Pause = {
  who: string
  why: 'KILLED' | 'ENDED' | 'STOPPED' | 'STARVED'
  from: number
  to: number
  ms: number
}

/** A fault that was brought about, for those who read a history. */
export type Fault = { kind: string; on: string; at: number }

/** What is right for an order whose terms these are: any of these outcomes. */
export type Expected = { terms: string; outcomes: readonly FinalCode[] }

/** All that was asked, answered and done to a system, in the order of its end. Optionally written to a file, a JSON line each. */
export class History {
  readonly calls: Call[] = []
  readonly pauses: Pause[] = []
  readonly faults: Fault[] = []
  /** By `OrderId`. */
  readonly expected = new Map<string, Expected>()
  readonly #file: WriteStream | undefined

  constructor(path?: string) {
    this.#file = path === undefined ? undefined : createWriteStream(path)
  }

  /** Now, in ms, by the clock all entries are timed with. It never goes back. */
  static now(): number {
    return performance.timeOrigin + performance.now()
  }

  expects(order: PlaceOrderRequest, outcomes: readonly FinalCode[]): void {
    this.expected.set(orderIdOf(order), { terms: termsOf(order), outcomes })
  }

  called(call: Call): void {
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

  async close(): Promise<void> {
    const file = this.#file
    if (file !== undefined) await new Promise<void>((resolve) => file.end(resolve))
  }
}
