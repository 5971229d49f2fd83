import { signingRate } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { closedLoop, fixedRate, noOpHandler, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { alternate, finding, loadSeconds } from './rounds.ts'

/** Orders a second, evenly: each of so many connections sends one a second. */
const RATE = 100

/** Of the load that warms them up. */
const CONNECTIONS = 64

/** How much longer an order takes than a signed constant when nothing is busy. */
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
  const constant = samples.get('a signed constant') ?? []
  const longer = (of: 'p50' | 'p99') =>
    roundsOf(us.map((sample, i) => sample[of] - (constant[i]?.[of] ?? Number.NaN)))
  return {
    name: 'slow',
    title: `Signed orders at ${RATE} a second`,
    metrics: [
      {
        what: 'p50, longer than a signed constant',
        unit: 'ms',
        rounds: longer('p50'),
        must: { atMost: 3 },
      },
      {
        what: 'p99, longer than a signed constant',
        unit: 'ms',
        rounds: longer('p99'),
        must: { atMost: 15 },
      },
      finding('placeorder, p50', 'ms', us, ({ p50 }) => p50),
      finding('placeorder, p99', 'ms', us, ({ p99 }) => p99),
      finding('a signed constant, p50', 'ms', constant, ({ p50 }) => p50),
      finding('a signed constant, p99', 'ms', constant, ({ p99 }) => p99),
    ],
  }
}
