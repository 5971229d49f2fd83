import { z } from 'zod'
import { Latencies, quantile } from '../statistics.ts'

/** What a driver did since the mark before. Latencies in ms. */
export const Mark = z.object({
  answered: z.number(),
  /** Answers other than SUCCESS, time-outs, lost connections. */
  failed: z.number(),
  seconds: z.number(),
  /** NaN if nothing was answered. */
  p50: z.number().or(z.nan()),
  p99: z.number().or(z.nan()),
  max: z.number().or(z.nan()),
  slowerThan1s: z.number(),
  /** The first failure. */
  why: z.string().optional(),
})
export type Mark = z.infer<typeof Mark>

/** Counts answers, failures and latencies. */
export class LoadTally {
  readonly #latencies = new Latencies()
  #answered = 0
  #failed = 0
  #why: string | undefined
  #since = performance.now()

  /** `intervalMs`: see Latencies. */
  answered(ms: number, intervalMs?: number): void {
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
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      max: quantile(sorted, 1),
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
