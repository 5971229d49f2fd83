import { setTimeout as sleep } from 'node:timers/promises'
import type { Exchange, PlaceOrderClient } from './place-order-client.ts'
import { type ParsedAnswer, parseInquiryAnswer, parsePlaceAnswer } from './read-answer.ts'

/** How long Alipay+ waits before each inquiry after an open order, in seconds (PROTOCOL.md). */
const INQUIRY_WAITS_S = [4, 4, 30, 60, 60, 60, 300, 300]

/** An order to place: the body is sent unchanged, the ids are for inquiries. */
export type OrderCall = {
  body: Buffer
  /** Undefined when the body has none: then nothing can be inquired, and only repeats are sent. */
  ids: { acquirerId: string; pspId: string; paymentId: string } | undefined
}

/** One request of a call, and its parsed answer. */
export type CallStep = {
  kind: 'PLACE' | 'REPEAT' | 'INQUIRE'
  atMs: number
  exchange: Exchange
  parsed: ParsedAnswer
}

export type FinalResult = Extract<ParsedAnswer, { kind: 'RESULT' }> & { status: 'S' | 'F' }

/** How a call ended. Without a final result the schedule ended and the order is still open. */
export type CallResult = { final: FinalResult | undefined; steps: readonly CallStep[] }

export type CallOptions = {
  signal?: AbortSignal | undefined
  /** Multiplies the waits of the schedule: 1 is as published, 0.001 makes 4 s into 4 ms. */
  timeFactor?: number | undefined
  /** Called after each step. */
  onStep?: ((step: CallStep) => void) | undefined
}

/** The waits before each inquiry, in ms. */
export const inquiryWaitsMs = (timeFactor = 1): number[] =>
  INQUIRY_WAITS_S.map((s) => s * 1000 * timeFactor)

/**
 * Calls placeOrder as Alipay+ does: waits 8 s, sends the same parameters once more after a
 * time-out, a lost connection or a U, and then inquires on the published schedule until S or F. An
 * answer that is unsigned, unreadable or not HTTP 200 counts as none. An inquiry without a result
 * (lost, or answered with ORDER_NOT_EXIST) is followed by a repeat.
 *
 * @throws the signal's reason when it is aborted
 */
export async function callPlaceOrder(
  order: OrderCall,
  client: Pick<PlaceOrderClient, 'place' | 'inquire'>,
  options: CallOptions = {},
): Promise<CallResult> {
  const calls = new OrderCalls(order, client, options)
  if (!hasFinalResult(await calls.place('PLACE'))) await calls.place('REPEAT')
  return pollUntilFinal(calls, options)
}

/** Inquires on the schedule after an open order that was placed by another request. */
export async function pollOrder(
  order: OrderCall,
  client: Pick<PlaceOrderClient, 'place' | 'inquire'>,
  options: CallOptions = {},
): Promise<CallResult> {
  return pollUntilFinal(new OrderCalls(order, client, options), options)
}

async function pollUntilFinal(
  calls: OrderCalls,
  { signal, timeFactor }: CallOptions,
): Promise<CallResult> {
  for (const waitMs of inquiryWaitsMs(timeFactor)) {
    if (calls.final !== undefined) break
    await pause(waitMs, signal)
    if ((await calls.inquire()).kind !== 'RESULT') await calls.place('REPEAT')
  }
  return { final: calls.final, steps: calls.steps }
}

/** Waits; throws the signal's own reason when it is aborted. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch((error) => {
    signal?.throwIfAborted()
    throw error
  })
}

export const hasFinalResult = (parsed: ParsedAnswer): parsed is FinalResult =>
  parsed.kind === 'RESULT' && parsed.status !== 'U'

/** Sends the requests of one order, and keeps them in the order in which they were sent. */
class OrderCalls {
  readonly steps: CallStep[] = []
  final: FinalResult | undefined
  readonly #order: OrderCall
  readonly #client: Pick<PlaceOrderClient, 'place' | 'inquire'>
  readonly #options: CallOptions
  readonly #startedAt = performance.now()

  constructor(
    order: OrderCall,
    client: Pick<PlaceOrderClient, 'place' | 'inquire'>,
    options: CallOptions,
  ) {
    this.#order = order
    this.#client = client
    this.#options = options
  }

  async place(kind: 'PLACE' | 'REPEAT'): Promise<ParsedAnswer> {
    const atMs = performance.now() - this.#startedAt
    const exchange = await this.#client.place(this.#order.body, this.#options.signal)
    return this.#keep({ kind, atMs, exchange, parsed: parsePlaceAnswer(exchange.reply) })
  }

  async inquire(): Promise<ParsedAnswer> {
    const { ids } = this.#order
    if (ids === undefined) return { kind: 'NO_ORDER' }
    const atMs = performance.now() - this.#startedAt
    const exchange = await this.#client.inquire(ids, this.#options.signal)
    return this.#keep({
      kind: 'INQUIRE',
      atMs,
      exchange,
      parsed: parseInquiryAnswer(exchange.reply),
    })
  }

  #keep(step: CallStep): ParsedAnswer {
    this.steps.push(step)
    if (hasFinalResult(step.parsed)) this.final = step.parsed
    this.#options.onStep?.(step)
    return step.parsed
  }
}
