import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { corrected, percentileOf } from './percentiles.ts'

test.each([
  [50, 5],
  [90, 9],
  [91, 10],
  [99.9, 10],
  [100, 10],
  [0, 1],
])('percentile %d of 1 to 10 is %d', (rank, value) => {
  expect(percentileOf(Float64Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), rank)).toBe(value)
})

test('the percentile of no values is NaN', () => {
  expect(percentileOf(new Float64Array(), 50)).toBeNaN()
})

describe('correction for coordinated omission', () => {
  test('a stall of 1 s counts for ten requests that are due each 100 ms', () => {
    expect([...corrected([5, 1000, 5], 100)]).toEqual([
      5, 5, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
    ])
  })

  test('a connection that is never late is not corrected', () => {
    expect([...corrected([30, 10, 99], 100)]).toEqual([10, 30, 99])
  })

  test('a closed loop is not corrected', () => {
    expect([...corrected([8000, 1], Number.POSITIVE_INFINITY)]).toEqual([1, 8000])
  })

  test('the maximum stays, and no latency above the interval is dropped', () => {
    const latencies = fc.array(fc.double({ min: 0.01, max: 10_000, noNaN: true }), {
      minLength: 1,
      maxLength: 50,
    })
    fc.assert(
      fc.property(latencies, fc.integer({ min: 20, max: 1000 }), (values, intervalMs) => {
        const all = corrected(values, intervalMs)
        const slow = values.filter((ms) => ms > intervalMs)
        expect(all.length).toBeGreaterThanOrEqual(values.length)
        expect(percentileOf(all, 100)).toBe(Math.max(...values))
        expect(all.filter((ms) => ms >= intervalMs).length).toBeGreaterThanOrEqual(slow.length)
      }),
    )
  })
})
