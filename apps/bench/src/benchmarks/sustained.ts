import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'
import { answersPerSecondMax } from '../baselines/signing.ts'
import { Mark } from '../drivers/load.ts'
import type { Benchmark } from '../report/metric.ts'
import { median, roundsOf } from '../statistics.ts'
import { measure } from '../test-bed/measure.ts'
import { closedLoop, fixedRate, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { usageOf } from '../test-bed/usage-of.ts'

const CONNECTIONS = 100

/** Orders are signed for so many seconds more, for the start and the end. */
const SLACK_S = 20

/**
 * Memory is sampled this often (s). A minute's value is the median of its samples, so that a
 * garbage collection does not sway it.
 */
const SAMPLE_S = 5
const SAMPLES_A_MINUTE = 60 / SAMPLE_S

/** Sends signed orders at a fixed rate for minutes: how many are slow, and whether memory grows. */
export async function sustained(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { sustainedSeconds, sustainedRate: rate, warmUpSeconds } = testBed.plan
  const perSecondMax = await answersPerSecondMax(testBed.files.signingKey)
  const count = rate * (sustainedSeconds + SLACK_S) + perSecondMax * (warmUpSeconds + 2)
  const driver = await httpDriver(testBed, stack, Math.ceil(count))
  const server = await placeorder(testBed, stack)
  const warming = closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })
  await measure(warming, { leadSeconds: warmUpSeconds, seconds: 0.5 })
  const { load } = fixedRate(server, driver, { connections: CONNECTIONS, rate })
  const anything = z.unknown()
  await driver.command(
    'start',
    { ...load, from: warming.next, seconds: sustainedSeconds + SLACK_S },
    anything,
  )
  const marks: Mark[] = []
  const resident = new Map<string, number[]>(server.programs.map(({ name }) => [name, []]))
  const before = await server.redis?.counters()
  await driver.command('mark', undefined, anything)
  for (let second = 0; second < sustainedSeconds; second += SAMPLE_S) {
    await wait(1_000 * SAMPLE_S)
    marks.push(await driver.command('mark', undefined, Mark))
    for (const { name, pid } of server.programs)
      resident.get(name)?.push((await usageOf(pid))?.residentBytes ?? Number.NaN)
    if (marks.length % SAMPLES_A_MINUTE === 0)
      testBed.say(`${marks.length / SAMPLES_A_MINUTE} min, ${answered(marks)} orders answered`)
  }
  const after = await server.redis?.counters()
  await driver.command('stop', undefined, anything)
  const failed = marks.find((mark) => mark.failed > 0)
  if (failed !== undefined) throw new Error(`${failed.failed} answers were wrong: ${failed.why}`)
  const grownBytes =
    (after?.usedMemoryBytes ?? Number.NaN) - (before?.usedMemoryBytes ?? Number.NaN)
  const share = (100 * marks.reduce((sum, mark) => sum + mark.slowerThan1s, 0)) / answered(marks)
  const one = (value: number) => roundsOf([value])
  return {
    name: 'sustained',
    title: `${rate} signed orders a second for ${sustainedSeconds} s`,
    metrics: [
      { what: 'orders slower than 1 s', unit: '%', rounds: one(share), must: { atMost: 0.1 } },
      ...['ingress', 'worker'].map((name) => ({
        what: `growth of the ${name}'s memory, last minute over second minute`,
        unit: '%',
        rounds: one(growthPercent(resident.get(name) ?? [])),
        must: { atMost: 5 },
      })),
      {
        what: 'orders answered',
        unit: 'orders/s',
        rounds: one(answered(marks) / sustainedSeconds),
      },
      { what: 'p50', unit: 'ms', rounds: one(median(marks.map(({ p50 }) => p50))) },
      {
        what: 'p99, median of intervals of 5 s',
        unit: 'ms',
        rounds: one(median(marks.map(({ p99 }) => p99))),
      },
      {
        what: 'p99, worst interval of 5 s',
        unit: 'ms',
        rounds: one(Math.max(...marks.map(({ p99 }) => p99))),
      },
      {
        what: 'growth of Redis memory per order',
        unit: 'B',
        rounds: one(grownBytes / answered(marks)),
      },
    ],
    notes: [...resident].map(([name, bytes]) => memoryNote(name, bytes)),
  }
}

const memoryNote = (name: string, bytes: number[]): string =>
  `Memory of ${name} in each minute, in MiB: ${minutesOf(bytes)
    .map((value) => Math.round(value / 2 ** 20))
    .join(', ')}.`

const answered = (marks: readonly Mark[]): number =>
  marks.reduce((sum, mark) => sum + mark.answered, 0)

const minutesOf = (samples: readonly number[]): number[] =>
  Array.from({ length: Math.ceil(samples.length / SAMPLES_A_MINUTE) }, (_, minute) =>
    median(samples.slice(minute * SAMPLES_A_MINUTE, (minute + 1) * SAMPLES_A_MINUTE)),
  )

function growthPercent(samples: readonly number[]): number {
  const minutes = minutesOf(samples)
  const [, second = Number.NaN] = minutes
  return 100 * ((minutes.at(-1) ?? Number.NaN) / second - 1)
}
