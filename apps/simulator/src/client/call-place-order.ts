import { setTimeout as sleep } from 'node:timers/promises'
import type { Caller, Exchange } from './caller.ts'
import { hearInquired, hearPlaced, type ParsedAnswer } from './read-answer.ts'

/** When Alipay+ inquires after an order that is not final: the waits before each inquiry, in seconds (PROTOCOL.md). */
const INQUIRY_WAITS_S = [4, 4, 30, 60, 60, 60, 300, 300]

/** An order as it is called for: the body is sent as it is, the ids are for inquiries. */
export type OrderCall = {
  body: Buffer
  /** Undefined when the body does not tell them: then there is nothing to inquire with, and only repeats are sent. */
  ids: { acquirerId: string; pspId: string; paymentId: string } | undefined
}

/** One thing the caller did, and what it took from what came back. */
export type Step = {
  kind: 'PLACE' | 'REPEAT' | 'INQUIRE'
  atMs: number
  exchange: Exchange
  heard: ParsedAnswer
}

export type FinalResult = Extract<ParsedAnswer, { kind: 'RESULT' }> & { status: 'S' | 'F' }

/** How a call ended. Without a final result the schedule is through, and the order is open as far as the caller knows. */
export type Call = { final: FinalResult | undefined; steps: readonly Step[] }

export type CallOptions = {
  signal?: AbortSignal | undefined
  /** Multiplies the waits of the schedule: 1 is as published, 0.001 makes 4 s into 4 ms. */
  timeFactor?: number | undefined
  /** Called with each step when it is done. */
  onStep?: ((step: Step) => void) | undefined
}

/** The waits before each inquiry, in ms. */
export const inquiryWaitsMs = (timeFactor = 1): number[] =>
  INQUIRY_WAITS_S.map((s) => s * 1000 * timeFactor)

/**
 * Calls placeOrder as Alipay+ does: waits 8 s, sends the same parameters once more after a time-out, a lost connection
 * or a U, and then inquires on the published schedule until S or F. What is unsigned, or not 200, or unreadable, is no
 * answer. An inquiry that does not tell how the order stands (unknown there, or lost) is followed by a repeat.
 *
 * @throws the signal's reason, when it is aborted
 */
export async function callPlaceOrder(
  order: OrderCall,
  caller: Pick<Caller, 'place' | 'inquire'>,
  options: CallOptions = {},
): Promise<Call> {
  const trail = new Trail(order, caller, options)
  if (!isFinal(await trail.step('PLACE'))) await trail.step('REPEAT')
  return follow(trail, options)
}

/** The rest of `callPlaceOrder` for an order that was placed elsewhere and is open: inquiries on the schedule. */
export async function followOrder(
  order: OrderCall,
  caller: Pick<Caller, 'place' | 'inquire'>,
  options: CallOptions = {},
): Promise<Call> {
  return follow(new Trail(order, caller, options), options)
}

async function follow(trail: Trail, { signal, timeFactor }: CallOptions): Promise<Call> {
  for (const waitMs of inquiryWaitsMs(timeFactor)) {
    if (trail.final !== undefined) break
    await pause(waitMs, signal)
    if ((await trail.inquire()).kind !== 'RESULT') await trail.step('REPEAT')
  }
  return { final: trail.final, steps: trail.steps }
}

/** Waits, and throws the signal's own reason when it is aborted. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch((error) => {
    signal?.throwIfAborted()
    throw error
  })
}

export const isFinal = (heard: ParsedAnswer): heard is FinalResult =>
  heard.kind === 'RESULT' && heard.status !== 'U'

/** What was done for one order, in order. */
class Trail {
  readonly steps: Step[] = []
  final: FinalResult | undefined
  readonly #order: OrderCall
  readonly #caller: Pick<Caller, 'place' | 'inquire'>
  readonly #options: CallOptions
  readonly #startedAt = performance.now()

  constructor(order: OrderCall, caller: Pick<Caller, 'place' | 'inquire'>, options: CallOptions) {
    this.#order = order
    this.#caller = caller
    this.#options = options
  }

  async step(kind: 'PLACE' | 'REPEAT'): Promise<ParsedAnswer> {
    const atMs = performance.now() - this.#startedAt
    const exchange = await this.#caller.place(this.#order.body, this.#options.signal)
    return this.#keep({ kind, atMs, exchange, heard: hearPlaced(exchange.reply) })
  }

  async inquire(): Promise<ParsedAnswer> {
    const { ids } = this.#order
    if (ids === undefined) return { kind: 'NO_ORDER' }
    const atMs = performance.now() - this.#startedAt
    const exchange = await this.#caller.inquire(ids, this.#options.signal)
    return this.#keep({ kind: 'INQUIRE', atMs, exchange, heard: hearInquired(exchange.reply) })
  }

  #keep(step: Step): ParsedAnswer {
    this.steps.push(step)
    if (isFinal(step.heard)) this.final = step.heard
    this.#options.onStep?.(step)
    return step.heard
  }
}
