import { answersPerSecondMax } from '../../baselines/signing.ts'
import type { Benchmark } from '../../report/metric.ts'
import { roundsOf } from '../../statistics.ts'
import type { Sample } from '../../test-bed/measure.ts'
import { closedLoop, placeorder } from '../../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../../test-bed/test-bed.ts'
import { alternate, commandsNote, cpuNote, loadSeconds, metricOf, ratio } from '../rounds.ts'
import { archivedPlaceorder, forgetAfter, withArchive } from './archived-server.ts'

const CONNECTIONS = 64

/** As many orders are forgotten as are concluded, from the first second of a round on. */
const KEEP_S = 1

/** What runs with and without an archive. */
const both = ['ingress', 'worker', 'redis']

/** Compares signed orders over HTTP with and without an archive, all on the same cores. */
export async function archiveThroughput(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const perSecondMax = await answersPerSecondMax(testBed.files.signingKey)
  const count = Math.ceil(perSecondMax * loadSeconds(testBed.plan))
  const driver = await httpDriver(testBed, stack, count)
  const load = { connections: CONNECTIONS, perSecondMax }
  const without = await placeorder(testBed, stack, { name: 'without' })
  const server = await archivedPlaceorder(testBed, stack, { env: forgetAfter(KEEP_S) })
  const subjects = [
    closedLoop(without, driver, load),
    withArchive(closedLoop(server, driver, load), server),
  ]
  const samples = await alternate(testBed, subjects, {
    betweenRounds: server.archive.untilForgotten,
  })
  const [off = [], on = []] = subjects.map(({ name }) => samples.get(name))
  return {
    name: 'archive-throughput',
    title: `Signed orders with an archive that copies and forgets, ${CONNECTIONS} connections`,
    metrics: [
      ratio('orders/s with the archive over without', [on, off], (one) => one.perSecond, {
        atLeast: 0.9,
      }),
      {
        what: 'the same by the CPU time of ingress, worker and Redis alone',
        unit: '×',
        rounds: roundsOf(off.map((sample, i) => cpuOf(sample) / cpuOf(on[i] as Sample))),
        must: { atLeast: 0.98 },
      },
      metricOf('with the archive', 'orders/s', on, (one) => one.perSecond),
      metricOf('without', 'orders/s', off, (one) => one.perSecond),
      metricOf('p99 with the archive', 'ms', on, ({ p99 }) => p99),
      metricOf('p99 without', 'ms', off, ({ p99 }) => p99),
    ],
    notes: [
      cpuNote('with the archive', on),
      cpuNote('without', off),
      commandsNote('with the archive', on),
      commandsNote('without', off),
    ],
  }
}

const cpuOf = ({ cpuUs }: Sample): number =>
  both.reduce((sum, name) => sum + (cpuUs[name] ?? Number.NaN), 0)
