import { answersPerSecondMax } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { closedLoop, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { alternate, loadSeconds, metricOf, ratio } from './rounds.ts'

const CONNECTIONS = 64

/**
 * Measures what the log costs: an ingress and a worker with one line per order each, which is the
 * default, and without.
 */
export async function logging(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const perSecondMax = await answersPerSecondMax(testBed.files.signingKey)
  const driver = await httpDriver(
    testBed,
    stack,
    Math.ceil(perSecondMax * loadSeconds(testBed.plan)),
  )
  const servers = [
    await placeorder(testBed, stack, { name: 'with its log' }),
    await placeorder(testBed, stack, { name: 'without', env: { LOG_LEVEL: 'warn' } }),
  ]
  const samples = await alternate(
    testBed,
    servers.map((server) => closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })),
  )
  const [logged = [], silent = []] = servers.map(({ name }) => samples.get(name))
  return {
    name: 'logging',
    title: `Cost of the log, ${CONNECTIONS} connections`,
    metrics: [
      ratio(
        'throughput with the log over throughput without',
        [logged, silent],
        (one) => one.perSecond,
      ),
      ...(['ingress', 'worker'] as const).flatMap((name) => [
        metricOf(
          `${name} CPU per order, with its log`,
          'µs',
          logged,
          ({ cpuUs }) => cpuUs[name] ?? Number.NaN,
        ),
        metricOf(
          `${name} CPU per order, without`,
          'µs',
          silent,
          ({ cpuUs }) => cpuUs[name] ?? Number.NaN,
        ),
      ]),
    ],
  }
}
