import { expect, test } from 'vitest'
import { formatValue, judgeObjectives, type Measures, type Objective } from './objectives.ts'

const measures: Measures = {
  p50: 2,
  p95: 5,
  p99: 10,
  'p99.9': null,
  max: 80,
  uShare: 0.001,
  fShare: 0,
  lostShare: 0,
  openShare: 0,
  rate: 500,
  contradictions: 0,
  wrongSignatures: 0,
}

test.each<[Objective, boolean]>([
  [{ measure: 'p99', bound: 10, side: 'AT_MOST' }, true],
  [{ measure: 'p99', bound: 9.9, side: 'AT_MOST' }, false],
  [{ measure: 'uShare', bound: 0.001, side: 'AT_MOST' }, true],
  [{ measure: 'uShare', bound: 0.0009, side: 'AT_MOST' }, false],
  [{ measure: 'rate', bound: 500, side: 'AT_LEAST' }, true],
  [{ measure: 'rate', bound: 501, side: 'AT_LEAST' }, false],
  [{ measure: 'p99.9', bound: 1e9, side: 'AT_MOST' }, false],
])('%j met: %s', (objective, met) => {
  expect(judgeObjectives([objective], measures)).toEqual([
    { ...objective, got: measures[objective.measure], met },
  ])
})

test.each<[keyof Measures, number | null, string]>([
  ['uShare', 0.00123, '0.123 %'],
  ['p99', 12.345, '12.3 ms'],
  ['p99', 1234.5, '1235 ms'],
  ['rate', 1999.6, '2000/s'],
  ['contradictions', 3, '3'],
  ['max', null, 'not measured'],
])('%s %s is printed as %s', (measure, value, text) => {
  expect(formatValue(measure, value)).toBe(text)
})
