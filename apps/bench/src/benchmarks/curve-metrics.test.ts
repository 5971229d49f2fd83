import { expect, test } from 'vitest'
import type { Sample } from '../test-bed/measure.ts'
import { metricsOf } from './curve-metrics.ts'
import type { Curve } from './curve-rounds.ts'

const sampleOf = (given: Partial<Sample>): Sample => ({
  answered: 1,
  failed: 0,
  seconds: 1,
  p50: 1,
  p99: 1,
  max: 1,
  slowerThan1s: 0,
  perSecond: 1,
  commands: 0,
  outputBytes: 0,
  syncs: 0,
  byCommand: [],
  cpuUs: {},
  residentBytes: {},
  ...given,
})

const rounds = (...p50s: (number | undefined)[]) =>
  p50s.map((p50) => (p50 === undefined ? undefined : sampleOf({ p50, perSecond: 3_600 / p50 })))

const curveAt = (inFlight: number, systems: Record<string, (Sample | undefined)[]>): Curve =>
  new Map([[{ inFlight }, new Map(Object.entries(systems))]])

const valuesOf = (curve: Curve) =>
  Object.fromEntries(metricsOf(curve, 0).map(({ what, rounds }) => [what, rounds.values]))

test('each round is compared with the best peer of that round', () => {
  const systems = {
    placeorder: rounds(2, 6),
    'naive BullMQ': rounds(8, 9),
    'bee-queue': rounds(4, 12),
    'the durable floor': rounds(1, 1),
  }
  expect(valuesOf(curveAt(8, systems))).toEqual({
    "p50 over the best peer's, 8 in flight": [0.5, 6 / 9],
    "p50 beyond the durable floor's, 8 in flight": [1, 5],
  })
  expect(valuesOf(curveAt(32, systems))).toEqual({
    "orders/s over the best peer's, 32 in flight": [2, 1.5],
  })
})

test('a round in which orders failed does not count', () => {
  const systems = {
    placeorder: rounds(2, undefined, 3),
    'naive BullMQ': rounds(undefined, 4, 6),
    'bee-queue': rounds(4, 4, undefined),
  }
  expect(valuesOf(curveAt(1, systems))["p50 over the best peer's, 1 in flight"]).toEqual([0.5, 0.5])
})

test('the CPU of an order alone is that of its processes less a signature', () => {
  const cpuUs = { ingress: 900, worker: 700, redis: 400, driver: 5_000 }
  const curve = curveAt(1, { placeorder: [sampleOf({ cpuUs })] })
  const alone = metricsOf(curve, 300).find(({ what }) => what.startsWith('CPU of an order alone'))
  expect(alone?.rounds.values).toEqual([1.7])
})
