import { answersPerSecondMax } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { measure } from '../test-bed/measure.ts'
import { closedLoop, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { alternate, cpuNote, loadSeconds, metricOf, ratio } from './rounds.ts'

const CONNECTIONS = 64

/** Compares repeats of concluded orders with new orders at the same ingress. */
export async function repeats(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const perSecondMax = await answersPerSecondMax(testBed.files.signingKey)
  const { warmUpSeconds } = testBed.plan
  const seconds = loadSeconds(testBed.plan) + warmUpSeconds + 2
  const driver = await httpDriver(testBed, stack, Math.ceil(perSecondMax * seconds))
  const server = await placeorder(testBed, stack)
  const fresh = closedLoop({ ...server, name: 'new orders' }, driver, {
    connections: CONNECTIONS,
    perSecondMax,
  })
  await measure(fresh, { leadSeconds: warmUpSeconds, seconds: 0.5 })
  const repeated = { ...fresh, name: 'repeats', load: { ...fresh.load, again: fresh.next } }
  const samples = await alternate(testBed, [fresh, repeated])
  const of = (name: string) => samples.get(name) ?? []
  return {
    name: 'repeats',
    title: `Repeats of concluded orders, ${CONNECTIONS} connections`,
    metrics: [
      ratio('repeats over new orders', [of('repeats'), of('new orders')], (one) => one.perSecond, {
        atLeast: 1,
      }),
      metricOf('repeats, throughput', 'orders/s', of('repeats'), (one) => one.perSecond),
      metricOf('new orders, throughput', 'orders/s', of('new orders'), (one) => one.perSecond),
      metricOf('repeats, p99', 'ms', of('repeats'), ({ p99 }) => p99),
      metricOf('new orders, p99', 'ms', of('new orders'), ({ p99 }) => p99),
    ],
    notes: [cpuNote('repeats', of('repeats')), cpuNote('new orders', of('new orders'))],
  }
}
