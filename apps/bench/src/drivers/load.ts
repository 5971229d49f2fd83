import { z } from 'zod'
import { Latencies, percentile } from '../statistics.ts'

/** What a driver did since it was last asked. Latencies in ms. */
export const Mark = z.object({
  answered: z.number(),
  /** Answers that were not the wanted one, time-outs, lost connections. */
  failed: z.number(),
  seconds: z.number(),
  /** No number when nothing was answered. */
  p50: z.number().or(z.nan()),
  p99: z.number().or(z.nan()),
  slowerThan1s: z.number(),
  /** The first failure, in words. */
  why: z.string().optional(),
})
export type Mark = z.infer<typeof Mark>

/** Counts what a driver does. */
export class Tally {
  readonly #latencies = new Latencies()
  #answered = 0
  #failed = 0
  #why: string | undefined
  #since = performance.now()

  /** `intervalMs`: see Latencies. */
  landed(ms: number, intervalMs?: number): void {
    this.#answered += 1
    this.#latencies.record(ms, intervalMs)
  }

  failed(why: string): void {
    this.#failed += 1
    this.#why ??= why
  }

  mark(): Mark {
    const now = performance.now()
    const sorted = this.#latencies.take()
    const mark: Mark = {
      answered: this.#answered,
      failed: this.#failed,
      seconds: (now - this.#since) / 1_000,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      slowerThan1s: sorted.length - sorted.findLastIndex((ms) => ms <= 1_000) - 1,
      ...(this.#why === undefined ? {} : { why: this.#why }),
    }
    this.#answered = 0
    this.#failed = 0
    this.#why = undefined
    this.#since = performance.now()
    return mark
  }
}
