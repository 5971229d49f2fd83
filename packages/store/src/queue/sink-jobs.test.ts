import { expect, test } from 'vitest'
import { retryDelay } from './sink-jobs.ts'

const HOUR_MS = 3_600_000

test.each([
  ['at first', 0, 0, 5_000],
  ['after 5 s', 5_000, 0, 25_000],
  ['between two attempts', 10_000, 0, 20_000],
  ['after 51 h', 51.2 * HOUR_MS, 0, 24 * HOUR_MS],
  ['when the endpoint asks for an hour', 0, HOUR_MS, HOUR_MS],
  ['when it failed first by a clock that was a day ahead', -24 * HOUR_MS, 0, 5_000],
])('an event that failed is tried again: %s', (_when, elapsedMs, retryAfterMs, delayMs) => {
  const delay = retryDelay(elapsedMs, retryAfterMs, 0) ?? 0
  expect(Math.abs(delay - delayMs)).toBeLessThan(0.02 * delayMs)
})

test('after 75 h an event is tried no more', () => {
  expect(retryDelay(76 * HOUR_MS)).toBeUndefined()
})
