import { answersPerSecondMax } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { closedLoop, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { alternate, finding, loadSeconds, ratio } from './rounds.ts'

const CONNECTIONS = 64

/** What the log costs: an ingress and a worker with a line an order each, as by default, and with none. */
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
    title: `The log, ${CONNECTIONS} connections`,
    metrics: [
      ratio('throughput with the log over without', [logged, silent], (one) => one.perSecond),
      ...(['ingress', 'worker'] as const).flatMap((name) => [
        finding(
          `${name} CPU an order, with its log`,
          'µs',
          logged,
          ({ cpuUs }) => cpuUs[name] ?? Number.NaN,
        ),
        finding(
          `${name} CPU an order, without`,
          'µs',
          silent,
          ({ cpuUs }) => cpuUs[name] ?? Number.NaN,
        ),
      ]),
    ],
  }
}
