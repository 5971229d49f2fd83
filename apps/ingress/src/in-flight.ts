/** Orders served are counted in steps of this length (ms), and looked back on over so many of them: one second. */
const STEP_MS = 100
const STEPS = 10

/** Below this many orders in hand nothing is expected: so many are always taken, also when none was served lately. */
const EXPECTED_FROM = 16

/** With an order in hand for longer than this part of the wait, orders queue somewhere; before that, none does. */
const QUEUE_SHARE = 1 / 8

/** How much of the wait an order may be expected to take. The rest is for what no expectation sees. */
const EXPECTED_SHARE_MAX = 1 / 2

/**
 * A client may have so many times what is free. So one client alone may fill eight ninths, two that ask for all of it have
 * eight seventeenths each, and there is always something left for the next one.
 */
export const FREE_MULTIPLE_MAX = 8

export type InFlightOptions = {
  /** How many may be in hand, of all clients together. */
  max: number
  /** How long an order is waited for, in ms. */
  waitMs: number
  /** How many of those in hand can be signed in so many ms. */
  signable: (ms: number) => number
  /** A clock in ms. */
  now?: () => number
}

type Held = { since: number }

/**
 * The orders (or inquiries) in hand at this ingress, from their admission to their signed answer, and how many may be: as
 * many as are served within half the wait, at the pace at which orders were served in the last second (Little's law), or at
 * which answers can be signed, if that is slower. Whatever the bottleneck is, it shows here: a worker, Redis, a slow key, or
 * another ingress that fills the same queue. What room there is, clients share.
 */
export class InFlight {
  readonly #options: InFlightOptions
  readonly #now: () => number
  readonly #held = new Set<Held>()
  readonly #heldBy = new Map<string, number>()
  readonly #served = new Array<number>(STEPS).fill(0)
  #step = 0
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

  /** Takes an order of a client into the hand; the function that is returned puts it away, and says whether it was served. */
  take(clientId: string): (served: boolean) => void {
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

  /** Why one more of this client is too much; undefined if there is room for it. */
  reasonToRefuse(clientId: string): string | undefined {
    const { max } = this.#options
    const [size, own, room] = [this.size, this.#heldBy.get(clientId) ?? 0, this.#room()]
    if (size >= max) return `${size} are in hand here`
    const others = this.#heldBy.size - Number(own > 0)
    const isOwn = own < room / (2 * (others + 1)) // Half of an equal share is nobody else's, however full it is.
    if (isOwn || own < FREE_MULTIPLE_MAX * (room - size)) return undefined
    if (room === max) return `${own} of the client's are in hand here, of ${size}`
    const expectedMs = (size / room) * this.#expectedMsMax
    return `it would wait for ${Number.isFinite(expectedMs) ? Math.round(expectedMs) : 'many'} ms`
  }

  get #expectedMsMax(): number {
    return this.#options.waitMs * EXPECTED_SHARE_MAX
  }

  /** How many may be in hand for the last of them to be served in time. */
  #room(): number {
    const { max, signable } = this.#options
    const signed = Math.max(signable(this.#expectedMsMax), EXPECTED_FROM)
    return Math.min(max, signed, this.#servable())
  }

  /** How many are served in time at the pace of the last second; no bound while none queues. */
  #servable(): number {
    const [oldest] = this.#held
    if (oldest === undefined || this.size < EXPECTED_FROM) return Number.POSITIVE_INFINITY
    const now = this.#now()
    if (now - oldest.since < this.#options.waitMs * QUEUE_SHARE) return Number.POSITIVE_INFINITY
    const lookBackMs = Math.min(Math.max(now - this.#busySince, STEP_MS), STEPS * STEP_MS)
    return (this.#count(0) * this.#expectedMsMax) / lookBackMs
  }

  /** Counts orders that were served now; gives how many were in the last second. */
  #count(more: number): number {
    const step = Math.floor(this.#now() / STEP_MS)
    for (let passed = Math.max(this.#step + 1, step - STEPS + 1); passed <= step; passed += 1)
      this.#served[passed % STEPS] = 0
    this.#step = step
    this.#served[step % STEPS] = (this.#served[step % STEPS] ?? 0) + more
    return this.#served.reduce((sum, served) => sum + served, 0)
  }
}
