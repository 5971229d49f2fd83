import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { z } from 'zod'
import { answersPerSecondMax } from '../../baselines/signing.ts'
import { Mark } from '../../drivers/load.ts'
import type { Benchmark, Metric } from '../../report/metric.ts'
import { quantile, roundsOf } from '../../statistics.ts'
import { measure } from '../../test-bed/measure.ts'
import { type KindUsage, memoryUsage } from '../../test-bed/memory-usage.ts'
import { closedLoop, fixedRate } from '../../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../../test-bed/test-bed.ts'
import { DIRECTORY, FILTERS, isTimed, kindOf } from '../memory.ts'
import { archivedPlaceorder, type BenchArchive } from './archived-server.ts'

const CONNECTIONS = 100

/** How long orders stay in Redis (s): the shortest window there is. */
const KEEP_S = 120

/** From this minute on as many orders are forgotten as are placed. */
const FLAT_FROM_MIN = 4

/** A machine that can do less than the rate is given this share of what it can do. */
const SHARE_OF_CAPACITY = 0.6

/** Without ten minutes there is no word on memory. */
const SHORT_S = 60

const LAG_EVERY_MS = 100
const SLACK_S = 20

/**
 * Sends signed orders at a fixed rate for minutes: how far SQL lags behind, and whether Redis grows
 * once orders are forgotten.
 */
export async function archiveSustained(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { sustainedRate, sustainedSeconds, short } = testBed.plan
  const seconds = short ? SHORT_S : sustainedSeconds
  const { load, archive, connection, perSecond, rate } = await openSystem(testBed, stack, seconds)
  const { driver } = load
  const anything = z.unknown()
  const interval = { from: load.next, seconds: seconds + SLACK_S }
  await driver.command('start', { ...load.load, ...interval }, anything)
  const stopping = new AbortController()
  const reading = readLags(archive, stopping.signal)
  stack.defer(async () => {
    stopping.abort()
    await reading.catch(() => {}) // Whatever else failed is the error to report.
  })
  const minutes: KindUsage[][] = []
  await driver.command('mark', undefined, anything)
  for (let minute = 1; 60 * minute <= seconds; minute += 1) {
    await wait(60_000)
    if (minute >= FLAT_FROM_MIN) minutes.push(await memoryUsage(connection, kindOf))
    testBed.say(`${minute} min`)
  }
  stopping.abort()
  const mark = await driver.command('mark', undefined, Mark)
  await driver.command('stop', undefined, anything)
  if (mark.failed > 0) throw new Error(`${mark.failed} answers were wrong: ${mark.why}`)
  const one = (value: number) => roundsOf([value])
  return {
    name: 'archive-sustained',
    title: `${rate} signed orders a second for ${seconds} s, forgotten after ${KEEP_S} s`,
    metrics: [
      ...lagMetrics((await reading).sort((a, b) => a - b)),
      ...growthOf(minutes),
      { what: 'orders answered', unit: 'orders/s', rounds: one(mark.answered / mark.seconds) },
      { what: 'p50 of orders', unit: 'ms', rounds: one(mark.p50) },
      { what: 'p99 of orders', unit: 'ms', rounds: one(mark.p99) },
    ],
    notes: [
      ...(rate < sustainedRate
        ? [`More were not sent: this machine does ${Math.round(perSecond)} orders/s.`]
        : []),
      ...minutes.map((usages, i) => usageNote(FLAT_FROM_MIN + i, usages)),
    ],
  }
}

/** Starts all of it, warm, and finds out what it can do. */
async function openSystem(testBed: TestBed, stack: AsyncDisposableStack, seconds: number) {
  const { plan, say, files } = testBed
  const perSecondMax = await answersPerSecondMax(files.signingKey)
  const count = plan.sustainedRate * (seconds + SLACK_S) + perSecondMax * (plan.warmUpSeconds + 6)
  const driver = await httpDriver(testBed, stack, Math.ceil(count))
  const env = { FORGET: 'true', KEEP_SECONDS: String(KEEP_S) }
  const server = await archivedPlaceorder(testBed, stack, { env })
  const full = closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })
  const { perSecond } = await measure(full, { leadSeconds: plan.warmUpSeconds, seconds: 4 })
  const rate = rateFor(plan.sustainedRate, perSecond)
  say(`${Math.round(perSecond)} orders/s at most, ${rate} from now on`)
  await server.archive.untilCopied()
  const connection = new Redis(server.redis.url)
  stack.defer(async () => void (await connection.quit()))
  const load = fixedRate(server, driver, { connections: CONNECTIONS, rate })
  return {
    load: { ...load, next: full.next },
    archive: server.archive,
    connection,
    perSecond,
    rate,
  }
}

const rateFor = (wanted: number, perSecond: number): number =>
  Math.min(wanted, CONNECTIONS * Math.floor((SHARE_OF_CAPACITY * perSecond) / CONNECTIONS))

/** How old the oldest order was that is not copied (ms), again and again until `signal` aborts. */
async function readLags({ store }: BenchArchive, signal: AbortSignal): Promise<number[]> {
  const lags: number[] = []
  while (!signal.aborted) {
    const oldest = (await store.outbox.progress(0))?.oldest
    lags.push(oldest === undefined ? 0 : Date.now() - oldest)
    await wait(LAG_EVERY_MS)
  }
  return lags
}

function lagMetrics(sortedMs: number[]): Metric[] {
  const of = (share: number) => roundsOf([quantile(sortedMs, share)])
  const what = 'age of the oldest order that SQL has not confirmed'
  return [
    { what: `${what}, p99`, unit: 'ms', rounds: of(0.99), must: { atMost: 2_000 } },
    { what: `${what}, p50`, unit: 'ms', rounds: of(0.5) },
    { what: `${what}, at most`, unit: 'ms', rounds: of(1) },
  ]
}

/**
 * The growth of what goes with an order, and of everything. Limits and registers of decisions have
 * windows of their own, hours and days long, so that they grow for longer than this lasts.
 */
function growthOf(minutes: KindUsage[][]): Metric[] {
  const since = 'since the fourth minute, at most, without filters'
  const grownPercent = (counted: (kind: string) => boolean) => {
    const [first = Number.NaN, ...others] = minutes.map((usages) =>
      bytesOf(usages.filter(({ kind }) => kind !== FILTERS && kind !== DIRECTORY && counted(kind))),
    )
    return roundsOf([100 * (Math.max(...others) / first - 1)])
  }
  if (minutes.length < 2) return []
  return [
    {
      what: `growth of Redis memory of orders ${since}`,
      unit: '%',
      rounds: grownPercent((kind) => !isTimed(kind)),
      must: { atMost: 5 },
    },
    {
      what: 'the same with what is kept for a time of its own',
      unit: '%',
      rounds: grownPercent(() => true),
    },
  ]
}

const bytesOf = (usages: KindUsage[]): number => usages.reduce((sum, { bytes }) => sum + bytes, 0)

const usageNote = (minute: number, usages: KindUsage[]): string =>
  `Redis memory after minute ${minute}, in MB: ${usages
    .filter(({ kind }) => kind !== DIRECTORY)
    .map(({ kind, bytes }) => `${kind} ${(bytes / 1e6).toFixed(1)}`)
    .join('; ')}.`
