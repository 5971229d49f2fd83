import { describe, expect, test } from 'vitest'
import { roundsOf } from '../statistics.ts'
import { markdownOf, summaryOf } from './markdown.ts'
import { type Benchmark, type Bound, boundVerdict } from './metric.ts'

const machine = {
  cpu: 'a CPU',
  cores: 2,
  memoryGiB: 4,
  node: '24.0.0',
  redis: 'redis-server 7.0.15, appendfsync always',
  at: '2026-01-02T03:04:05.000Z',
  rounds: 3,
  seconds: 4,
}

describe('the verdict depends on the median:', () => {
  test.each<[string, number[], Bound, string]>([
    ['below', [0.7, 0.79, 0.9], { atLeast: 0.8, aim: 0.9 }, 'NOT reached'],
    ['at the bound', [0.7, 0.8, 0.9], { atLeast: 0.8, aim: 0.9 }, 'reached'],
    ['at the aim', [0.9, 0.9, 0.9], { atLeast: 0.8, aim: 0.9 }, 'aim reached'],
    ['above the maximum', [1, 1.6, 2], { atMost: 1.5 }, 'NOT reached'],
    ['at the maximum', [1, 1.5, 2], { atMost: 1.5 }, 'reached'],
    ['at the aim of a maximum', [15], { atMost: 24, aim: 15 }, 'aim reached'],
    ['no value at all', [Number.NaN], { atMost: 1.5 }, 'NOT reached'],
  ])('%s', (_, values, must, verdict) => {
    expect(boundVerdict({ what: '', unit: '', rounds: roundsOf(values), must })).toBe(verdict)
  })

  test('a metric without a bound has no verdict', () => {
    expect(boundVerdict({ what: '', unit: '', rounds: roundsOf([1]) })).toBeUndefined()
  })
})

describe('the table', () => {
  const benchmark: Benchmark = {
    name: 'core',
    title: 'Core',
    metrics: [
      {
        what: 'ours over theirs',
        unit: '×',
        rounds: roundsOf([4, 5, 6]),
        must: { atLeast: 5, aim: 8 },
      },
      { what: 'throughput', unit: 'orders/s', rounds: roundsOf([1234.5]) },
    ],
    notes: ['A note.'],
  }

  test('names the machine, and each metric with spread, bound and verdict', () => {
    const text = markdownOf(machine, [benchmark])
    expect(text).toContain('2026-01-02 on a CPU, 2 cores, 4 GiB; Node 24.0.0, redis-server 7.0.15')
    expect(text).toContain('| ours over theirs | 5.00 × | 4.00 – 6.00 | ≥ 5, aim 8 × | reached |')
    expect(text).toContain('| throughput | 1,235 orders/s |  |  |  |')
    expect(text).toContain('A note.')
  })

  test('in short has the metrics with a bound alone', () => {
    const rows = summaryOf(machine, [benchmark])
      .split('\n')
      .filter((line) => line.startsWith('| Core'))
    expect(rows).toEqual(['| Core: ours over theirs | 5.00 × | ≥ 5, aim 8 × | reached |'])
  })
})
