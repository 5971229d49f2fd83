import { monitorEventLoopDelay } from 'node:perf_hooks'
import { FREE_MULTIPLE_MAX, InFlight } from './in-flight.ts'
import { Rate } from './rate.ts'

export type AdmissionLimits = {
  /** Orders in hand at this ingress. */
  inFlightMax: number
  /** Orders open in Redis, in all shards. */
  openOrdersMax: number
  /** How long an order is waited for, in ms: one that would wait for much of it is refused. */
  waitMs: number
}

/** Past this mean delay of the event loop (ms) answers come late for want of CPU: more orders make that worse. */
const EVENT_LOOP_DELAY_MS_MAX = 250

/** How often the event loop's delay is looked at, in ms. */
const LOOK_MS = 200

/** What a client sends. Orders and inquiries have the same bounds, and take nothing from each other. */
export type RequestKind = 'place' | 'inquire'

type Asking = { clientId: string; ordersPerSecondMax?: number | undefined }

/** Refuses what would be too much, before anything is stored. */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #openOrders: () => number
  readonly #openShareOf: (clientId: string) => number
  readonly #rates = new Map<string, Rate>()
  readonly #loop = monitorEventLoopDelay({ resolution: 50 }) // In ms. Each look wakes an idle process.
  readonly #look: NodeJS.Timeout
  readonly #inFlight: Record<RequestKind, InFlight>
  #looked = { count: 0, sum: 0 }
  #loopDelayMs = 0

  /**
   * `openOrders`: how many orders are open in Redis, as far as is known. `paceMs`: how long it takes until one more answer
   * is signed while all threads sign. `openShareOf`: a client's share of the open orders.
   */
  constructor(
    limits: AdmissionLimits,
    openOrders: () => number,
    paceMs: () => number = () => 0,
    openShareOf: (clientId: string) => number = () => 0,
  ) {
    this.#openShareOf = openShareOf
    this.#limits = limits
    this.#openOrders = openOrders
    const { inFlightMax: max, waitMs } = limits
    const signable = (ms: number) => ms / paceMs()
    const place = new InFlight({ max, waitMs, signable })
    // Orders are signed first.
    const inquire = new InFlight({ max, waitMs, signable: (ms) => signable(ms) - place.size })
    this.#inFlight = { place, inquire }
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

  get inFlight(): number {
    return this.#inFlight.place.size
  }

  /** Takes in what is not too much, until the function that is returned is called and says whether it was served. */
  take(kind: RequestKind, { clientId }: Asking): (served: boolean) => void {
    return this.#inFlight[kind].take(clientId)
  }

  /**
   * Why one more order or inquiry of this client is too much: the client's rate, what is in hand, the wait to expect, the open
   * orders or the event loop's delay is past its bound. Undefined if there is room for it; it counts in the client's rate then.
   * It is returned and not thrown: throwing is a tenth of what refusing an order costs.
   */
  reasonToRefuse(kind: RequestKind, client: Asking): string | undefined {
    const inFlight = this.#inFlight[kind].reasonToRefuse(client.clientId)
    if (inFlight !== undefined) return inFlight
    const open = kind === 'place' ? this.#tooManyOpen(client.clientId) : undefined
    if (open !== undefined) return open
    if (this.#loopDelayMs > EVENT_LOOP_DELAY_MS_MAX)
      return `the event loop is ${Math.round(this.#loopDelayMs)} ms late`
    return this.#isTooFast(kind, client)
      ? `the client sends more than ${client.ordersPerSecondMax} a second`
      : undefined
  }

  #tooManyOpen(clientId: string): string | undefined {
    const open = this.#openOrders()
    const free = this.#limits.openOrdersMax - open
    if (free <= 0) return `${open} orders are open`
    if (open < FREE_MULTIPLE_MAX * free) return undefined // Nobody has that many.
    const own = Math.round(open * this.#openShareOf(clientId))
    return own < FREE_MULTIPLE_MAX * free
      ? undefined
      : `${own} of the client's orders are open, of ${open}`
  }

  #isTooFast(kind: RequestKind, { clientId, ordersPerSecondMax }: Asking): boolean {
    if (ordersPerSecondMax === undefined) return false
    const name = `${kind} ${clientId} ${ordersPerSecondMax}`
    const rate = this.#rates.get(name) ?? new Rate(ordersPerSecondMax)
    this.#rates.set(name, rate)
    return !rate.take()
  }

  close(): void {
    clearInterval(this.#look)
    this.#loop.disable()
  }
}
