/** Orders served are counted in steps of this length (ms), and looked back on over so many of them: one second. */
const STEP_MS = 100
const STEPS = 10

/** Below this many orders in hand nothing is expected: so many are always taken, also when none was served lately. */
const EXPECTED_FROM = 16

/** With an order in hand for longer than this part of the wait, orders queue somewhere; before that, none does. */
const QUEUE_SHARE = 1 / 8

/** How much of the wait an order may be expected to take. The rest is for what no expectation sees. */
const EXPECTED_SHARE_MAX = 1 / 2

type Held = { since: number }

/**
 * The orders in hand at this ingress, and how long one that came now would wait: as long as those before it take at the
 * pace at which orders were served in the last second (Little's law). Whatever the bottleneck is, it shows here: a worker, Redis, or
 * another ingress that fills the same queue.
 */
export class Hand {
  readonly #waitMs: number
  readonly #now: () => number
  readonly #held = new Set<Held>()
  readonly #served = new Array<number>(STEPS).fill(0)
  #step = 0
  #busySince = 0

  /** `waitMs`: how long an order is waited for. `now` is a clock in ms. */
  constructor(waitMs: number, now: () => number = () => performance.now()) {
    this.#waitMs = waitMs
    this.#now = now
  }

  get size(): number {
    return this.#held.size
  }

  /** Takes an order into the hand; the function that is returned puts it away, and says whether it was served. */
  take(): (served: boolean) => void {
    const held = { since: this.#now() }
    if (this.#held.size === 0) this.#busySince = held.since
    this.#held.add(held)
    return (served) => {
      this.#held.delete(held)
      if (served) this.#count(1)
    }
  }

  /** How long an order that came now would wait (ms), if that is too long; undefined while no order queues. */
  get tooLongMs(): number | undefined {
    const [oldest] = this.#held
    if (oldest === undefined || this.#held.size < EXPECTED_FROM) return undefined
    const now = this.#now()
    if (now - oldest.since < this.#waitMs * QUEUE_SHARE) return undefined
    const lookBackMs = Math.min(Math.max(now - this.#busySince, STEP_MS), STEPS * STEP_MS)
    const expectedMs = (this.#held.size * lookBackMs) / this.#count(0)
    return expectedMs > this.#waitMs * EXPECTED_SHARE_MAX ? expectedMs : undefined
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
