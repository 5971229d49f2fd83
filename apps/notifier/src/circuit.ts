/** So many failures in a row open a circuit: one alone may be chance. */
const FAILURES_IN_A_ROW = 5
/** Where little is sent, an endpoint that has failed for so long (ms), twice at least, is down. */
const FAILING_MS = 20_000
/**
 * An open circuit lets one sending through every 1 s to 5 min: the longer it has been open, the
 * less often, by this part of the time. So an endpoint that was away for ten minutes is noticed
 * within 12 s of its return.
 */
const PROBE_MS = { min: 1_000, max: 300_000, part: 0.02 } as const

/**
 * Whether a sink's endpoint is worth trying, in this process.
 *
 * closed ── five failures in a row, or 20 s of them, or `Retry-After` ──▶ open
 * open ── an answer, once the time that `Retry-After` asked for is over ──▶ closed
 */
export class Circuit {
  readonly #now: () => number
  readonly #onChange: (open: boolean, reason: string) => void
  #failures = 0
  #failingSince = 0
  #isOpen = false
  #probeAt = 0
  /** Until then the endpoint wants to be left alone. */
  #quietUntil = 0
  #isProbing = false

  /** `now` is a clock in ms that never goes back. */
  constructor(
    onChange: (open: boolean, reason: string) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#onChange = onChange
    this.#now = now
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Whether somebody may probe now. */
  get isProbeDue(): boolean {
    return this.#isOpen && !this.#isProbing && this.#now() >= this.#probeAt
  }

  /** Runs the one probe that is due; nobody else's runs meanwhile. */
  async probe(body: () => Promise<void>): Promise<void> {
    if (!this.isProbeDue) return
    this.#isProbing = true
    try {
      await body()
    } finally {
      this.#isProbing = false
    }
  }

  /**
   * The endpoint has answered, though it may have refused. While it wants to be left alone, this is
   * the answer to something that was sent before.
   */
  answered(): void {
    if (this.#now() < this.#quietUntil) return
    this.#failures = 0
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#onChange(false, 'it answers again')
  }

  /** The endpoint has failed; it may want to be left alone for some time (ms). */
  failed(reason: string, retryAfterMs = 0): void {
    const now = this.#now()
    this.#failures += 1
    if (this.#failures === 1) this.#failingSince = now
    const failingMs = now - this.#failingSince
    this.#quietUntil = Math.max(this.#quietUntil, now + retryAfterMs)
    const probeMs = Math.min(Math.max(PROBE_MS.min, failingMs * PROBE_MS.part), PROBE_MS.max)
    this.#probeAt = Math.max(this.#quietUntil, now + probeMs)
    const isDown =
      this.#failures >= FAILURES_IN_A_ROW || failingMs >= FAILING_MS || retryAfterMs > 0
    if (this.#isOpen || !isDown) return
    this.#isOpen = true
    this.#onChange(true, reason)
  }
}
