import type { Bound, Metric } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { coreShareOf, type Sample } from '../test-bed/measure.ts'
import { peerNames } from '../test-bed/peers.ts'
import type { Curve } from './curve-rounds.ts'

type Figure = (sample: Sample) => number

const US = 'placeorder'
const FLOOR = 'the durable floor'
const NO_OP = 'a no-op handler'

const p50: Figure = (sample) => sample.p50
const p99: Figure = (sample) => sample.p99
const perSecond: Figure = (sample) => sample.perSecond
const commands: Figure = (sample) => sample.commands

/**
 * The curve in a few figures with their bounds. `signatureUs`: the CPU time of one signature.
 * Figures whose load or systems were not measured are left out.
 */
export const metricsOf = (curve: Curve, signatureUs: number): Metric[] =>
  [...overPeers(curve), ...overFloor(curve), ...ofItself(curve, signatureUs)].filter(
    ({ rounds }) => rounds.values.length > 0,
  )

function overPeers(curve: Curve): Metric[] {
  const best = (inFlight: number, figure: Figure, bestOf: typeof Math.max): number[] => {
    const peers = peerNames.map((name) => at(curve, inFlight, name, figure))
    return at(curve, inFlight, US, figure).map((_, round) => {
      const measured = peers.flatMap((of) => of[round] ?? []).filter(Number.isFinite)
      return measured.length === 0 ? Number.NaN : bestOf(...measured)
    })
  }
  return [
    ...[1, 2, 4, 8, 16].map((n) => {
      const over = ratio(at(curve, n, US, p50), best(n, p50, Math.min))
      return metric(`p50 over the best peer's, ${n} in flight`, '×', over, { atMost: 1, aim: 0.7 })
    }),
    ...[32, 64, 128, 256].map((n) => {
      const over = ratio(at(curve, n, US, perSecond), best(n, perSecond, Math.max))
      const what = `orders/s over the best peer's, ${n} in flight`
      return metric(what, '×', over, { atLeast: 1.5, aim: 2.5 })
    }),
  ]
}

function overFloor(curve: Curve): Metric[] {
  const over = (system: string, figure: Figure) =>
    ratio(at(curve, 64, US, figure), at(curve, 64, system, figure))
  return [
    ...[1, 8].map((n) => {
      const beyond = difference(at(curve, n, US, p50), at(curve, n, FLOOR, p50))
      const what = `p50 beyond the durable floor's, ${n} in flight`
      return metric(what, 'ms', beyond, { atMost: 3, aim: 1.5 })
    }),
    metric("orders/s over the durable floor's, 64 in flight", '×', over(FLOOR, perSecond), {
      atLeast: 0.75,
      aim: 0.85,
    }),
    metric("orders/s over a no-op handler's, 64 in flight", '×', over(NO_OP, perSecond), {
      atLeast: 0.62,
      aim: 0.7,
    }),
    metric("p99 over the durable floor's, 64 in flight", '×', over(FLOOR, p99), {
      atMost: 1.5,
      aim: 1.2,
    }),
  ]
}

function ofItself(curve: Curve, signatureUs: number): Metric[] {
  const ours = (inFlight: number, figure: Figure) => at(curve, inFlight, US, figure)
  const cpuMs: Figure = ({ cpuUs: { ingress, worker, redis } }) =>
    ((ingress ?? Number.NaN) + (worker ?? Number.NaN) + (redis ?? Number.NaN) - signatureUs) / 1_000
  return [
    metric(
      'orders/s with 256 in flight over those with 64',
      '×',
      ratio(ours(256, perSecond), ours(64, perSecond)),
      { atLeast: 1.1, aim: 1.2 },
    ),
    metric('share of all cores in use, 64 in flight', '×', ours(64, coreShareOf), {
      atLeast: 0.8,
      aim: 0.9,
    }),
    metric('CPU of an order alone, without its signature', 'ms', ours(1, cpuMs), {
      atMost: 2.5,
      aim: 1.5,
    }),
    metric('Redis commands of an order alone', '', ours(1, commands), { atMost: 40, aim: 25 }),
    metric('Redis commands of an order, 64 in flight', '', ours(64, commands), {
      atMost: 9,
      aim: 7,
    }),
  ]
}

/** A figure in each round, with so many orders in flight; NaN where orders failed. */
function at(curve: Curve, inFlight: number, system: string, figure: Figure): number[] {
  const load = [...curve.keys()].find((one) => 'inFlight' in one && one.inFlight === inFlight)
  const samples = load === undefined ? [] : (curve.get(load)?.get(system) ?? [])
  return samples.map((sample) => (sample === undefined ? Number.NaN : figure(sample)))
}

const metric = (what: string, unit: string, values: readonly number[], must: Bound): Metric => ({
  what,
  unit,
  rounds: roundsOf(values.filter(Number.isFinite)),
  must,
})

const ratio = (over: readonly number[], under: readonly number[]): number[] =>
  over.map((one, round) => one / (under[round] ?? Number.NaN))

const difference = (from: readonly number[], less: readonly number[]): number[] =>
  from.map((one, round) => one - (less[round] ?? Number.NaN))
