import { answersPerSecondMax } from '../../baselines/signing.ts'
import type { Benchmark } from '../../report/metric.ts'
import { roundsOf } from '../../statistics.ts'
import { measure } from '../../test-bed/measure.ts'
import { closedLoop, fixedRate } from '../../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../../test-bed/test-bed.ts'
import { alternate, loadSeconds, metricOf } from '../rounds.ts'
import { archivedPlaceorder, forgetAfter } from './archived-server.ts'

const CONNECTIONS = 64

/** Repeats a second. */
const RATE = 100

/** How long new orders are placed that stay in Redis (s). */
const STAYING_S = 2

/** Compares repeats of orders that are in the archive alone with those of orders in Redis. */
export async function archiveRepeats(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { plan, say, files } = testBed
  const perSecondMax = await answersPerSecondMax(files.signingKey)
  const seconds = loadSeconds(plan) + plan.warmUpSeconds + STAYING_S + 4
  const driver = await httpDriver(testBed, stack, Math.ceil(perSecondMax * seconds))
  const server = await archivedPlaceorder(testBed, stack, { env: forgetAfter(1) })
  const placing = closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })
  await measure(placing, { leadSeconds: plan.warmUpSeconds, seconds: 0.5 })
  say('until all orders are forgotten')
  await server.archive.untilForgotten()
  await server.archiver.stop()
  const forgotten = placing.next
  await measure(placing, { leadSeconds: 0.5, seconds: STAYING_S })
  const slowly = fixedRate(server, driver, { connections: RATE, rate: RATE })
  const repeats = (name: string, from: number, until: number) => ({
    ...slowly,
    name,
    load: { ...slowly.load, againFrom: from, again: until - from },
  })
  const subjects = [
    repeats('out of Redis', forgotten, placing.next),
    repeats('out of the archive', 0, forgotten),
  ]
  // V8 compiled the rest under full load; a look-up is hot after seconds.
  const warm = { ...testBed, plan: { ...plan, warmUpSeconds: Math.min(plan.warmUpSeconds, 10) } }
  const samples = await alternate(warm, subjects)
  const [redis = [], archive = []] = subjects.map(({ name }) => samples.get(name))
  const longer = (of: 'p50' | 'p99') =>
    roundsOf(archive.map((sample, i) => sample[of] - (redis[i]?.[of] ?? Number.NaN)))
  return {
    name: 'archive-repeats',
    title: `Repeats of archived orders, ${RATE} a second`,
    metrics: [
      {
        what: 'p50 out of the archive above that out of Redis',
        unit: 'ms',
        rounds: longer('p50'),
        must: { atMost: 3 },
      },
      { what: 'p99 likewise', unit: 'ms', rounds: longer('p99'), must: { atMost: 15 } },
      metricOf('out of the archive, p50', 'ms', archive, ({ p50 }) => p50),
      metricOf('out of the archive, p99', 'ms', archive, ({ p99 }) => p99),
      metricOf('out of Redis, p50', 'ms', redis, ({ p50 }) => p50),
      metricOf('out of Redis, p99', 'ms', redis, ({ p99 }) => p99),
    ],
    notes: [`${forgotten.toLocaleString('en-US')} orders were in the archive alone.`],
  }
}
