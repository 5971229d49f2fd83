import { signingRate } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import type { Sample } from '../test-bed/measure.ts'
import { peer } from '../test-bed/peers.ts'
import { closedLoop, noOpHandler, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { alternate, commandsNote, cpuNote, loadSeconds, metricOf, ratio } from './rounds.ts'

const CONNECTIONS = 64

/** Signed orders over HTTP: placeorder, naive BullMQ, a no-op handler, and signing alone. */
export async function signed(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { rounds, seconds } = testBed.plan
  testBed.say('signing alone')
  const bare = [await signingRate(testBed.files.signingKey, 1_000 * seconds)]
  // Each answer needs a signature, so no more than that can be answered.
  const perSecondMax = bare[0] ?? 0
  const driver = await httpDriver(
    testBed,
    stack,
    Math.ceil(perSecondMax * loadSeconds(testBed.plan)),
  )
  const servers = [
    await placeorder(testBed, stack),
    await noOpHandler(testBed, stack),
    await peer(testBed, stack, 'naive'),
  ]
  const subjects = servers.map((server) =>
    closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax }),
  )
  const betweenRounds = async () => {
    if (bare.length < rounds)
      bare.push(await signingRate(testBed.files.signingKey, 1_000 * seconds))
  }
  const samples = await alternate(testBed, subjects, { betweenRounds })
  return report(samples, bare)
}

function report(samples: Map<string, Sample[]>, bare: number[]): Benchmark {
  const of = (name: string) => samples.get(name) ?? []
  const perSecond = (sample: Sample) => sample.perSecond
  const [us, noOp, naive] = [of('placeorder'), of('a no-op handler'), of('naive BullMQ')]
  const names = [...samples.keys()]
  return {
    name: 'signed',
    title: `Signed orders over HTTP, ${CONNECTIONS} connections`,
    metrics: [
      ratio('placeorder over a no-op handler', [us, noOp], perSecond, {
        atLeast: 0.8,
        aim: 0.9,
      }),
      {
        what: 'placeorder over signing alone',
        unit: '×',
        rounds: roundsOf(us.map((sample, i) => sample.perSecond / (bare[i] ?? Number.NaN))),
        must: { atLeast: 0.6, aim: 0.7 },
      },
      ratio('p99 of placeorder over p99 of a no-op handler', [us, noOp], ({ p99 }) => p99, {
        atMost: 1.5,
      }),
      ratio('placeorder over naive BullMQ', [us, naive], perSecond),
      ...names.map((name) => metricOf(`${name}, throughput`, 'orders/s', of(name), perSecond)),
      { what: 'signing alone, all cores', unit: 'signatures/s', rounds: roundsOf(bare) },
      ...names.map((name) => metricOf(`${name}, p50`, 'ms', of(name), ({ p50 }) => p50)),
      ...names.map((name) => metricOf(`${name}, p99`, 'ms', of(name), ({ p99 }) => p99)),
      metricOf('placeorder, Redis commands per order', '', us, ({ commands }) => commands),
      metricOf('naive BullMQ, Redis commands per order', '', naive, ({ commands }) => commands),
    ],
    notes: [...names.map((name) => cpuNote(name, of(name))), commandsNote('placeorder', us)],
  }
}
