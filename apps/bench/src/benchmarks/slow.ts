import { signingRate } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { closedLoop, fixedRate, noOpHandler, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { alternate, loadSeconds, metricOf } from './rounds.ts'

/** Orders a second, evenly spread: each of as many connections sends one a second. */
const RATE = 100

/** Connections of the load that warms the servers up. */
const CONNECTIONS = 64

/** Measures how much longer placeorder takes than a no-op handler when nothing is busy. */
export async function slow(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const perSecondMax = await signingRate(testBed.files.signingKey, 1_000)
  const driver = await httpDriver(
    testBed,
    stack,
    Math.ceil(perSecondMax * loadSeconds(testBed.plan)),
  )
  const servers = [await placeorder(testBed, stack), await noOpHandler(testBed, stack)]
  const samples = await alternate(
    testBed,
    servers.map((server) => fixedRate(server, driver, { connections: RATE, rate: RATE })),
    {
      busy: servers.map((server) =>
        closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax }),
      ),
    },
  )
  const us = samples.get('placeorder') ?? []
  const noOp = samples.get('a no-op handler') ?? []
  const longer = (of: 'p50' | 'p99') =>
    roundsOf(us.map((sample, i) => sample[of] - (noOp[i]?.[of] ?? Number.NaN)))
  return {
    name: 'slow',
    title: `Signed orders at ${RATE} a second`,
    metrics: [
      {
        what: 'p50 above that of a no-op handler',
        unit: 'ms',
        rounds: longer('p50'),
        must: { atMost: 3 },
      },
      {
        what: 'p99 above that of a no-op handler',
        unit: 'ms',
        rounds: longer('p99'),
        must: { atMost: 15 },
      },
      metricOf('placeorder, p50', 'ms', us, ({ p50 }) => p50),
      metricOf('placeorder, p99', 'ms', us, ({ p99 }) => p99),
      metricOf('a no-op handler, p50', 'ms', noOp, ({ p50 }) => p50),
      metricOf('a no-op handler, p99', 'ms', noOp, ({ p99 }) => p99),
    ],
  }
}
