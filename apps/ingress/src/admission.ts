import { FREE_MULTIPLE_MAX, InFlight } from './in-flight.ts'
import { LoopDelay } from './loop-delay.ts'
import { Rate } from './rate.ts'

export type AdmissionLimits = {
  /** Orders in flight at this ingress. */
  inFlightMax: number
  /** Orders open in Redis, in all shards. */
  openOrdersMax: number
  /**
   * How long an order waits for its outcome, in ms: one that would spend much of it queueing is
   * refused.
   */
  waitMs: number
  /** See below; for tests, which may run on a machine with no CPU to spare. */
  eventLoopDelayMsMax?: number
}

/**
 * Past this mean delay of the event loop (ms) answers are late for lack of CPU; more orders would
 * make it worse.
 */
const EVENT_LOOP_DELAY_MS_MAX = 150

/** What a client sends. Orders and inquiries have bounds of the same size, counted separately. */
export type RequestKind = 'place' | 'inquire'

type AskingClient = { clientId: string; ordersPerSecondMax?: number | undefined }

/** Refuses orders and inquiries that would be too many, before anything is stored. */
export class Admission {
  readonly #limits: AdmissionLimits
  readonly #openOrders: () => number
  readonly #openShareOf: (clientId: string) => number
  readonly #rates = new Map<string, Rate>()
  readonly #loopDelay = new LoopDelay()
  readonly #inFlight: Record<RequestKind, InFlight>

  /**
   * `openOrders`: how many orders are open in Redis, as last read. `paceMs`: how long one more
   * signature takes while all threads sign. `openShareOf`: a client's share of the open orders.
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
    // Orders are signed before inquiries.
    const inquire = new InFlight({ max, waitMs, signable: (ms) => signable(ms) - place.size })
    this.#inFlight = { place, inquire }
  }

  get inFlight(): number {
    return this.#inFlight.place.size
  }

  /**
   * Admits an order or inquiry. The function that is returned releases it, and takes whether it was
   * served.
   */
  admit(kind: RequestKind, { clientId }: AskingClient): (served: boolean) => void {
    return this.#inFlight[kind].add(clientId)
  }

  /**
   * Why one more order or inquiry of this client is refused: the client's rate, the orders in
   * flight, the expected wait, the open orders or the event loop's delay is past its bound.
   * Undefined if it is admitted; then it counts in the client's rate. The reason is returned and
   * not thrown: throwing takes a tenth of what refusing an order costs.
   */
  reasonToRefuse(kind: RequestKind, client: AskingClient): string | undefined {
    const inFlight = this.#inFlight[kind].reasonToRefuse(client.clientId)
    if (inFlight !== undefined) return inFlight
    const open = kind === 'place' ? this.#tooManyOpen(client.clientId) : undefined
    if (open !== undefined) return open
    const loopDelay = this.#loopDelay.ask()
    if (loopDelay > (this.#limits.eventLoopDelayMsMax ?? EVENT_LOOP_DELAY_MS_MAX))
      return `the event loop is ${Math.round(loopDelay)} ms late`
    return this.#isTooFast(kind, client)
      ? `the client sends more than ${client.ordersPerSecondMax} a second`
      : undefined
  }

  #tooManyOpen(clientId: string): string | undefined {
    const open = this.#openOrders()
    const free = this.#limits.openOrdersMax - open
    if (free <= 0) return `${open} orders are open`
    if (open < FREE_MULTIPLE_MAX * free) return undefined // No client can have that many.
    const own = Math.round(open * this.#openShareOf(clientId))
    return own < FREE_MULTIPLE_MAX * free
      ? undefined
      : `${own} of the client's orders are open, of ${open}`
  }

  #isTooFast(kind: RequestKind, { clientId, ordersPerSecondMax }: AskingClient): boolean {
    if (ordersPerSecondMax === undefined) return false
    const name = `${kind} ${clientId} ${ordersPerSecondMax}`
    const rate = this.#rates.get(name) ?? new Rate(ordersPerSecondMax)
    this.#rates.set(name, rate)
    return !rate.take()
  }

  close(): void {
    this.#loopDelay.close()
  }
}
