/** The value a share of the sorted values lies at or below, as the nearest rank; NaN when there are none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

/** The middle value; of an even number of values the mean of the middle two. NaN when there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

/** The rounds of one measurement: their median, and how far they lie apart. */
export type Rounds = { median: number; min: number; max: number; values: readonly number[] }

export const roundsOf = (values: readonly number[]): Rounds => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
  values,
})

/** Latencies in ms, kept one by one so that their percentiles are exact. */
export class Latencies {
  #kept = new Float64Array(1_024)
  #count = 0

  get count(): number {
    return this.#count
  }

  /**
   * Counts one in. With `intervalMs`, the time at which requests should have followed each other, a latency longer than that
   * also counts those that could not be sent meanwhile: what is known as correcting for coordinated omission.
   */
  record(ms: number, intervalMs = Number.POSITIVE_INFINITY): void {
    for (let left = ms; left === ms || left > 0; left -= intervalMs) this.#push(left)
  }

  #push(ms: number): void {
    if (this.#count === this.#kept.length) {
      const longer = new Float64Array(2 * this.#count)
      longer.set(this.#kept)
      this.#kept = longer
    }
    this.#kept[this.#count] = ms
    this.#count += 1
  }

  /** What was recorded since the last time, in order of size; then it begins anew. */
  take(): Float64Array {
    const taken = this.#kept.slice(0, this.#count).sort()
    this.#count = 0
    return taken
  }
}
