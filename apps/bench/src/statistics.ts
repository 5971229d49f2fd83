/**
 * Returns the value that `share` of the sorted values do not exceed (nearest rank); NaN if empty.
 */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

/** The middle value, or the mean of the middle two; NaN if empty. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN
  return (lower + upper) / 2
}

/** The rounds of one measurement: their median and their spread. */
export type RoundStatistics = {
  median: number
  min: number
  max: number
  values: readonly number[]
}

export const roundsOf = (values: readonly number[]): RoundStatistics => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
  values,
})

/** Latencies in ms, each one stored, so that percentiles are exact. */
export class Latencies {
  #values = new Float64Array(1_024)
  #count = 0

  get count(): number {
    return this.#count
  }

  /**
   * Records a latency. With `intervalMs`, the interval at which requests are due, a longer latency
   * also records the requests that could not be sent meanwhile: this corrects for coordinated
   * omission.
   */
  record(ms: number, intervalMs = Number.POSITIVE_INFINITY): void {
    for (let left = ms; left === ms || left > 0; left -= intervalMs) this.#push(left)
  }

  #push(ms: number): void {
    if (this.#count === this.#values.length) {
      const longer = new Float64Array(2 * this.#count)
      longer.set(this.#values)
      this.#values = longer
    }
    this.#values[this.#count] = ms
    this.#count += 1
  }

  /** Returns what was recorded since the last call, sorted, and starts anew. */
  take(): Float64Array {
    const taken = this.#values.slice(0, this.#count).sort()
    this.#count = 0
    return taken
  }
}
