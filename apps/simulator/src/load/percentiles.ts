/** The percentiles that reports show. */
export const percentileRanks = [50, 90, 95, 99, 99.9, 100] as const

/** The value that `rank` percent of the sorted values do not exceed; NaN when there are none. */
export function percentileOf(sorted: Float64Array, rank: number): number {
  const at = Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)
  return sorted[at] ?? Number.NaN
}

/**
 * Corrects latencies for coordinated omission, and sorts them. While a connection waits for a slow
 * answer it does not send the requests that are due meanwhile, so a stall is measured once although
 * many callers would have met it. For each latency above the interval at which that connection's
 * requests are due, the unsent ones are added, each one interval shorter (as HdrHistogram's
 * `recordValueWithExpectedInterval` does).
 *
 * @param latencies in ms
 * @param intervalMs between two requests of one connection; infinite in a closed loop, where
 *   nothing is due
 */
export function corrected(latencies: ArrayLike<number>, intervalMs: number): Float64Array {
  const all: number[] = []
  for (let at = 0; at < latencies.length; at += 1) {
    for (
      let ms = latencies[at] ?? 0, first = true;
      first || ms >= intervalMs;
      ms -= intervalMs, first = false
    )
      all.push(ms)
  }
  return Float64Array.from(all).sort()
}
