import { answersPerSecondMax } from '../baselines/signing.ts'
import type { Figure } from '../report/metric.ts'
import { closedLoop, placeorder } from '../test-bed/servers.ts'
import { type House, httpDriver } from '../test-bed/test-bed.ts'
import { alternate, finding, loadSeconds, ratio } from './rounds.ts'

const CONNECTIONS = 64

/** What the log costs: an ingress and a worker with a line an order each, as by default, and with none. */
export async function logging(house: House): Promise<Figure> {
  await using stack = new AsyncDisposableStack()
  const perSecondMax = await answersPerSecondMax(house.files.signingKey)
  const driver = await httpDriver(house, stack, Math.ceil(perSecondMax * loadSeconds(house.plan)))
  const servers = [
    await placeorder(house, stack, { name: 'with its log' }),
    await placeorder(house, stack, { name: 'without', env: { LOG_LEVEL: 'warn' } }),
  ]
  const samples = await alternate(
    house,
    servers.map((server) => closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })),
  )
  const [logged = [], silent = []] = servers.map(({ name }) => samples.get(name))
  return {
    name: 'logging',
    title: `The log, ${CONNECTIONS} connections`,
    findings: [
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
