/** The percentiles a report shows. */
export const ranks = [50, 90, 95, 99, 99.9, 100] as const

/** The value that `rank` percent of the sorted values do not exceed; NaN when there are none. */
export function percentile(sorted: Float64Array, rank: number): number {
  const at = Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)
  return sorted[at] ?? Number.NaN
}

/**
 * Corrects latencies for coordinated omission, and sorts them. A connection that waits for a slow answer does not send
 * what was due meanwhile, so that a stall is measured once where many callers would have met it. For each latency above
 * the interval at which that connection's requests are due, those that were not sent are added: one interval shorter
 * each (the correction of HdrHistogram, `recordValueWithExpectedInterval`).
 *
 * @param latencies in ms
 * @param intervalMs between two requests of one connection; infinite in a closed loop, where nothing is due
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
