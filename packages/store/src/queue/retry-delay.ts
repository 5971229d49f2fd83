const HOUR_MS = 3_600_000

/**
 * When an event is tried again, after its first failure (ms): after 5 s, then after five times as
 * long each time, at last after 24 h each: 75 h in all. It goes by the clock and not by attempts,
 * so that trying earlier, when an endpoint is back, uses up nothing.
 */
const delays = [5_000, 25_000, 125_000, 625_000, 3_125_000, 15_625_000, 78_125_000]
const DELAY_MS_MAX = 24 * HOUR_MS
const RETRIED_AT_MS: readonly number[] = [...delays, DELAY_MS_MAX, DELAY_MS_MAX].map((_, i, all) =>
  all.slice(0, i + 1).reduce((sum, ms) => sum + ms, 0),
)

/** A delay is longer by up to this part of it, by chance: jobs that failed together spread. */
const JITTER = 0.1

/** The delay before the next attempt (ms); undefined if there is none. `chance`: 0 to 1. */
export function retryDelay(
  elapsedMs: number,
  retryAfterMs = 0,
  chance = Math.random(),
): number | undefined {
  const elapsed = Math.max(0, elapsedMs) // It is negative where the clock was ahead before.
  const next = RETRIED_AT_MS.find((at) => at > elapsed)
  if (next === undefined) return undefined
  return Math.max((next - elapsed) * (1 + JITTER * chance), retryAfterMs)
}
