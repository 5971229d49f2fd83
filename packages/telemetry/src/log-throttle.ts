import type { Logger } from './log.ts'

/** Names are forgotten past this many: the message of a fault may hold anything. */
const NAMES_MAX = 1_000

/**
 * Lets an event that keeps happening be logged now and then, with the number of times it was not:
 * logging must not become a load.
 */
export class LogThrottle {
  readonly #everyMs: number
  readonly #logged = new Map<string, { at: number; more: number }>()

  /** `everyMs`: events of the same name are logged once in this time. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /**
   * Returns how often it happened since it was last logged, if it is due to be logged now; else
   * undefined.
   */
  due(name: string): number | undefined {
    const now = performance.now()
    const { at, more } = this.#logged.get(name) ?? { at: Number.NEGATIVE_INFINITY, more: 0 }
    const isDue = now - at >= this.#everyMs
    if (this.#logged.size >= NAMES_MAX) this.#logged.clear()
    this.#logged.set(name, isDue ? { at: now, more: 0 } : { at, more: more + 1 })
    return isDue ? more : undefined
  }
}

/**
 * While Redis is away, each connection fails four times a second; the same fault is logged once in
 * this time (ms).
 */
const FAULT_LOGGED_MS = 10_000

/**
 * Logs faults by which no order is lost: the same fault now and then, with how many `more` there
 * were.
 */
export function reportFaults(log: Pick<Logger, 'warn'>): (error: unknown, what: string) => void {
  const throttle = new LogThrottle(FAULT_LOGGED_MS)
  return (err, what) => {
    const more = throttle.due(`${what}: ${err instanceof Error ? err.message : err}`)
    if (more !== undefined) log.warn({ err, more }, what)
  }
}
