import type { Logger } from './log.ts'

/** Names are forgotten when there are more: what is told of faults may hold anything. */
const NAMES_MAX = 1_000

/** Lets what happens again and again be told now and then, and with it how often it was not: a log is not to be a load. */
export class LogThrottle {
  readonly #everyMs: number
  readonly #told = new Map<string, { at: number; more: number }>()

  /** `everyMs`: what has the same name is told once in so many ms. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs
  }

  /** How often it happened untold since it was last told, if it is to be told now; else undefined. */
  due(name: string): number | undefined {
    const now = performance.now()
    const { at, more } = this.#told.get(name) ?? { at: Number.NEGATIVE_INFINITY, more: 0 }
    const isDue = now - at >= this.#everyMs
    if (this.#told.size >= NAMES_MAX) this.#told.clear()
    this.#told.set(name, isDue ? { at: now, more: 0 } : { at, more: more + 1 })
    return isDue ? more : undefined
  }
}

/** While Redis is away each connection fails to be opened four times a second; it is told once in so many ms. */
const FAULT_TOLD_MS = 10_000

/** Logs what went wrong without an order being lost by it: the same fault now and then, with how many `more` there were. */
export function reportFaults(log: Pick<Logger, 'warn'>): (error: unknown, what: string) => void {
  const told = new LogThrottle(FAULT_TOLD_MS)
  return (err, what) => {
    const more = told.due(`${what}: ${err instanceof Error ? err.message : err}`)
    if (more !== undefined) log.warn({ err, more }, what)
  }
}
