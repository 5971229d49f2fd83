/** Served orders are counted in slots of this length (ms), over so many slots: one second. */
const SLOT_MS = 100
const SLOTS = 10

/**
 * Below this many orders in flight no wait is expected: they are always admitted, even if none was
 * served lately.
 */
const EXPECTED_FROM = 16

/** An order in flight for longer than this share of the wait means that orders queue somewhere. */
const QUEUE_SHARE = 1 / 8

/**
 * The share of the wait that an order may be expected to take. The rest is for what the estimate
 * does not see.
 */
const EXPECTED_SHARE_MAX = 1 / 2

/**
 * A client may have so many times the free room. So one client alone may fill eight ninths, two
 * that want all of it get eight seventeenths each, and there is always something left for the next
 * one.
 */
export const FREE_MULTIPLE_MAX = 8

export type InFlightOptions = {
  /** How many may be in flight, of all clients together. */
  max: number
  /** How long an order waits for its outcome, in ms. */
  waitMs: number
  /** How many of those in flight can be signed in so many ms. */
  signable: (ms: number) => number
  /** A clock in ms. */
  now?: () => number
}

type Held = { since: number }

/**
 * The orders (or inquiries) in flight at this ingress, from admission to signed answer, and how
 * many there may be: as many as are served within half the wait, at the rate at which orders were
 * served in the last second (Little's law) or answers can be signed, whichever is lower. Whatever
 * the bottleneck is, it shows here: a worker, Redis, a slow key, or another ingress that fills the
 * same queue. Clients share the room there is.
 */
export class InFlight {
  readonly #options: InFlightOptions
  readonly #now: () => number
  readonly #held = new Set<Held>()
  readonly #heldBy = new Map<string, number>()
  readonly #served = new Array<number>(SLOTS).fill(0)
  #slot = 0
  #busySince = 0

  constructor({
    now = () => performance.now(),
    ...options
  }: Omit<InFlightOptions, 'signable'> & Partial<InFlightOptions>) {
    this.#options = { signable: () => Number.POSITIVE_INFINITY, ...options }
    this.#now = now
  }

  get size(): number {
    return this.#held.size
  }

  /**
   * Adds an order of a client. The function that is returned releases it, and takes whether it was
   * served.
   */
  add(clientId: string): (served: boolean) => void {
    const held = { since: this.#now() }
    if (this.#held.size === 0) this.#busySince = held.since
    this.#held.add(held)
    this.#heldBy.set(clientId, (this.#heldBy.get(clientId) ?? 0) + 1)
    return (served) => {
      if (!this.#held.delete(held)) return
      const others = (this.#heldBy.get(clientId) ?? 1) - 1
      if (others === 0) this.#heldBy.delete(clientId)
      else this.#heldBy.set(clientId, others)
      if (served) this.#count(1)
    }
  }

  /** Why one more of this client is refused; undefined if there is room for it. */
  reasonToRefuse(clientId: string): string | undefined {
    const { max } = this.#options
    const [size, own, room] = [this.size, this.#heldBy.get(clientId) ?? 0, this.#room()]
    if (size >= max) return `${size} are in flight here`
    const others = this.#heldBy.size - Number(own > 0)
    // Half of an equal share is always the client's own.
    const isOwn = own < room / (2 * (others + 1))
    if (isOwn || own < FREE_MULTIPLE_MAX * (room - size)) return undefined
    if (room === max) return `${own} of the client's are in flight here, of ${size}`
    const expectedMs = (size / room) * this.#expectedMsMax
    return `it would wait for ${Number.isFinite(expectedMs) ? Math.round(expectedMs) : 'many'} ms`
  }

  get #expectedMsMax(): number {
    return this.#options.waitMs * EXPECTED_SHARE_MAX
  }

  /** How many may be in flight for the last of them to be served in time. */
  #room(): number {
    const { max, signable } = this.#options
    const signed = Math.max(signable(this.#expectedMsMax), EXPECTED_FROM)
    return Math.min(max, signed, this.#servable())
  }

  /** How many are served in time at the rate of the last second; no bound while none queues. */
  #servable(): number {
    const [oldest] = this.#held
    if (oldest === undefined || this.size < EXPECTED_FROM) return Number.POSITIVE_INFINITY
    const now = this.#now()
    if (now - oldest.since < this.#options.waitMs * QUEUE_SHARE) return Number.POSITIVE_INFINITY
    const lookBackMs = Math.min(Math.max(now - this.#busySince, SLOT_MS), SLOTS * SLOT_MS)
    return (this.#count(0) * this.#expectedMsMax) / lookBackMs
  }

  /** Counts orders served now. Returns how many were served in the last second. */
  #count(more: number): number {
    const slot = Math.floor(this.#now() / SLOT_MS)
    for (let passed = Math.max(this.#slot + 1, slot - SLOTS + 1); passed <= slot; passed += 1)
      this.#served[passed % SLOTS] = 0
    this.#slot = slot
    this.#served[slot % SLOTS] = (this.#served[slot % SLOTS] ?? 0) + more
    return this.#served.reduce((sum, served) => sum + served, 0)
  }
}
