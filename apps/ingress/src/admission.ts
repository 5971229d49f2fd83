import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { PlaceOrderAnswer } from '@placeorder/protocol'
import { Hand } from './hand.ts'

export type AdmissionLimits = {
  /** Orders in hand at this ingress. */
  inHandMax: number
  /** Orders open in Redis, in all shards. */
  openOrdersMax: number
  /** How long an order is waited for, in ms: one that would wait for much of it is refused. */
  waitMs: number
}

/** Past this mean delay of the event loop (ms) answers come late for want of CPU: more orders make that worse. */
const EVENT_LOOP_DELAY_MS_MAX = 250

/** How often the event loop's delay is looked at, in ms. */
const LOOK_MS = 200

/** One client's rate, as a bucket that holds what one second may bring. */
type Bucket = { tokens: number; filledAt: number }

/** Refuses what would be too much, before anything is stored. */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #openOrders: () => number
  readonly #buckets = new Map<string, Bucket>()
  readonly #loop = monitorEventLoopDelay({ resolution: 50 }) // In ms. Each look wakes an idle process.
  readonly #look: NodeJS.Timeout
  readonly #hand: Hand
  #looked = { count: 0, sum: 0 }
  #loopDelayMs = 0

  /** `openOrders` tells how many orders are open in Redis, as far as is known. */
  constructor(limits: AdmissionLimits, openOrders: () => number) {
    this.#limits = limits
    this.#openOrders = openOrders
    this.#hand = new Hand(limits.waitMs)
    this.#loop.enable()
    this.#look = setInterval(() => this.#lookAtLoop(), LOOK_MS).unref()
  }

  /** How late the loop was since the last look. The histogram is not reset: with that it would miss the delay it is in. */
  #lookAtLoop(): void {
    const { count, mean } = this.#loop
    if (count === this.#looked.count) return
    const sum = mean * count
    this.#loopDelayMs = (sum - this.#looked.sum) / (count - this.#looked.count) / 1e6
    this.#looked = { count, sum }
  }

  get inHand(): number {
    return this.#hand.size
  }

  /** Runs `body` for one order that is not too much; what it gives shows whether the order was served. */
  async admitted(body: () => Promise<PlaceOrderAnswer>): Promise<PlaceOrderAnswer> {
    const putAway = this.#hand.take()
    let served = false
    try {
      const placed = await body()
      served = placed.result.resultStatus !== 'U'
      return placed
    } finally {
      putAway(served)
    }
  }

  /**
   * Why one order more of this client is too much: the client's rate, the orders in hand, the wait to expect, the open orders or the
   * event loop's delay is past its bound. Undefined if there is room for it; it counts in the client's rate then. It is told and
   * not thrown: throwing is a tenth of what refusing an order costs.
   */
  tooMuch({
    clientId,
    ordersPerSecondMax,
  }: {
    clientId: string
    ordersPerSecondMax?: number | undefined
  }): string | undefined {
    if (this.inHand >= this.#limits.inHandMax) return `${this.inHand} orders are in hand here`
    const { tooLongMs } = this.#hand
    if (tooLongMs !== undefined) return `an order would wait for ${Math.round(tooLongMs)} ms`
    if (this.#openOrders() >= this.#limits.openOrdersMax)
      return `${this.#openOrders()} orders are open`
    if (this.#loopDelayMs > EVENT_LOOP_DELAY_MS_MAX)
      return `the event loop is ${Math.round(this.#loopDelayMs)} ms late`
    if (ordersPerSecondMax !== undefined && !this.#token(clientId, ordersPerSecondMax)) {
      return `the client sends more than ${ordersPerSecondMax} orders a second`
    }
    return undefined
  }

  #token(clientId: string, perSecond: number): boolean {
    const now = performance.now()
    const bucket = this.#buckets.get(clientId) ?? { tokens: perSecond, filledAt: now }
    this.#buckets.set(clientId, bucket)
    bucket.tokens = Math.min(
      perSecond,
      bucket.tokens + ((now - bucket.filledAt) / 1000) * perSecond,
    )
    bucket.filledAt = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  close(): void {
    clearInterval(this.#look)
    this.#loop.disable()
  }
}
