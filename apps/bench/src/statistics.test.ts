import { describe, expect, test } from 'vitest'
import { Latencies, median, quantile, roundsOf } from './statistics.ts'

describe('quantiles', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)

  test.each([
    [0.5, 50],
    [0.99, 99],
    [0.999, 100],
    [1, 100],
    [0, 1],
  ])('%d of 1 to 100 is %d', (share, value) => {
    expect(quantile(hundred, share)).toBe(value)
  })

  test('of one value are that value, of none NaN', () => {
    expect(quantile([7], 0.99)).toBe(7)
    expect(quantile([], 0.5)).toBeNaN()
  })
})

describe('the median', () => {
  test.each([
    ['an odd number', [3, 1, 2], 2],
    ['an even number', [4, 1, 3, 2], 2.5],
    ['one', [5], 5],
  ])('of %s of values', (_, values, middle) => {
    expect(median(values)).toBe(middle)
  })

  test('comes with minimum and maximum', () => {
    expect(roundsOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, values: [3, 1, 2] })
  })
})

describe('latencies', () => {
  test('are returned sorted, and once', () => {
    const latencies = new Latencies()
    for (let ms = 3_000; ms > 0; ms -= 1) latencies.record(ms)
    const taken = latencies.take()
    expect([taken.length, taken[0], taken.at(-1)]).toEqual([3_000, 1, 3_000])
    expect(latencies.take()).toHaveLength(0)
  })

  test('longer than the interval also count the requests that could not be sent', () => {
    const latencies = new Latencies()
    latencies.record(10, 100)
    latencies.record(350, 100)
    expect([...latencies.take()]).toEqual([10, 50, 150, 250, 350])
  })
})
