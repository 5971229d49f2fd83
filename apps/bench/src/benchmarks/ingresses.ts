import { answersPerSecondMax } from '../baselines/signing.ts'
import type { Benchmark, Metric } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { measure, type Sample } from '../test-bed/measure.ts'
import { closedLoop, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { metricOf } from './rounds.ts'

const COUNTS = [1, 2, 4, 8] as const
const CONNECTIONS = 64

/**
 * Connections per ingress if each has the same load. 8 × 64 is more than 2 cores answer in time.
 */
const CONNECTIONS_EACH = 32
const GROWTH_PERCENT_MAX = 10

/** The counts hardly differ between rounds, whatever else the machine does. */
const ROUNDS_MAX = 3

/**
 * Measures what an order costs Redis as ingresses are added: with the same load on each of them,
 * and with the same load on all of them together.
 */
export async function ingresses(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const perSecondMax = await answersPerSecondMax(testBed.files.signingKey)
  const { seconds, leadSeconds } = testBed.plan
  const rounds = Math.min(testBed.plan.rounds, ROUNDS_MAX)
  const driver = await httpDriver(
    testBed,
    stack,
    Math.ceil(perSecondMax * (2 * rounds + 1) * (leadSeconds + seconds + 1)),
  )
  const each = new Map<number, Sample[]>()
  const together = new Map<number, Sample[]>()
  for (const count of COUNTS) {
    await using one = new AsyncDisposableStack()
    const server = await placeorder(testBed, one, { ingresses: count })
    const busy = closedLoop(server, driver, { connections: CONNECTIONS_EACH * count, perSecondMax })
    const shared = closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })
    await measure(busy, { leadSeconds, seconds })
    for (const [subject, samples] of [
      [busy, each],
      [shared, together],
    ] as const) {
      subject.next = Math.max(busy.next, shared.next)
      for (let round = 0; round < rounds; round += 1) {
        samples.set(count, [
          ...(samples.get(count) ?? []),
          await measure(subject, { leadSeconds, seconds }),
        ])
      }
    }
    testBed.say(`${count} ingresses`)
  }
  const metrics = (what: string, samples: Map<number, Sample[]>): Metric[] => [
    growth(`${what}: growth of Redis commands per order, at most`, samples, (one) => one.commands),
    growth(`${what}: growth of Redis output per order, at most`, samples, (one) => one.outputBytes),
    ...COUNTS.flatMap((count) => [
      metricOf(
        `${what}, ${count}: commands per order`,
        '',
        samples.get(count) ?? [],
        (one) => one.commands,
      ),
      metricOf(
        `${what}, ${count}: output per order`,
        'B',
        samples.get(count) ?? [],
        (one) => one.outputBytes,
      ),
    ]),
  ]
  return {
    name: 'ingresses',
    title: 'Several ingresses',
    metrics: [
      ...metrics(`${CONNECTIONS} connections in all`, together),
      ...metrics(`${CONNECTIONS_EACH} connections each`, each),
    ],
  }
}

/** By how much any number of ingresses costs more than one, at most (%). */
function growth(
  what: string,
  samples: Map<number, Sample[]>,
  of: (sample: Sample) => number,
): Metric {
  const [one, ...more] = COUNTS.map((count) => samples.get(count) ?? [])
  const percent = (sample: Sample, i: number) => 100 * (of(sample) / of(one?.[i] ?? sample) - 1)
  const worst =
    one?.map((_, i) =>
      Math.max(...more.map((some) => percent(some[i] ?? (one[i] as Sample), i))),
    ) ?? []
  return { what, unit: '%', rounds: roundsOf(worst), must: { atMost: GROWTH_PERCENT_MAX } }
}
