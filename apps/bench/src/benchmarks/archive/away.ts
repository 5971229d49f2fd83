import { setTimeout as wait } from 'node:timers/promises'
import { FaultProxy } from '@placeorder/testkit/fault-proxy'
import { z } from 'zod'
import { answersPerSecondMax } from '../../baselines/signing.ts'
import { Mark } from '../../drivers/load.ts'
import type { Benchmark, Metric } from '../../report/metric.ts'
import { roundsOf } from '../../statistics.ts'
import { measure, type Subject } from '../../test-bed/measure.ts'
import { closedLoop, fixedRate } from '../../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../../test-bed/test-bed.ts'
import { type ArchivedServer, archivedPlaceorder, forgetAfter } from './archived-server.ts'

const CONNECTIONS = 100

/** New orders a second, or this share of what the machine can do. */
const RATE = 200
const SHARE_OF_CAPACITY = 0.4

/** Repeats of archived orders a second. */
const REPEATS_RATE = 20

/** So many archived orders are repeated. */
const REPEATED = 1_000

/** How long SQL is away in a round (s), and back before the next one. */
const AWAY_S = 8
const BACK_S = 3

/** What the protocol's deadline leaves: WAIT_MS, and 200 ms. */
const ANSWER_MS_MAX = 3_200

/** New orders, and repeats of archived ones, while PostgreSQL is killed and while it is silent. */
export async function archiveAway(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const system = await openSystem(testBed, stack)
  const faults = faultsOf(system)
  const measured = new Map<string, Measured[]>()
  const note = (name: string, one: Measured) =>
    measured.set(name, [...(measured.get(name) ?? []), one])
  for (let round = 1; round <= testBed.plan.rounds; round += 1)
    for (const [name, { begin, end }] of Object.entries(faults)) {
      note(`before ${name}`, await observe(system, 'SUCCESS', async () => {}))
      note(name, await observe(system, 'UNKNOWN_EXCEPTION', begin))
      await end()
      await wait(1_000 * BACK_S)
      testBed.say(`${name}, round ${round} of ${testBed.plan.rounds}`)
    }
  const of = (name: string) => measured.get(name) ?? []
  return {
    name: 'archive-away',
    title: `PostgreSQL away: ${system.rate} new orders a second, ${REPEATS_RATE} repeats`,
    metrics: Object.keys(faults).flatMap((name) => metricsOf(name, of(`before ${name}`), of(name))),
  }
}

type System = ArchivedServer & {
  proxy: FaultProxy
  fresh: Subject
  repeats: Subject
  rate: number
}

/** Resolves once archived orders can be repeated. */
async function openSystem(testBed: TestBed, stack: AsyncDisposableStack): Promise<System> {
  const { plan, files, say } = testBed
  const perSecondMax = await answersPerSecondMax(files.signingKey)
  const phases = 4 * plan.rounds
  const count = perSecondMax * (plan.warmUpSeconds + 6) + RATE * phases * (AWAY_S + 4)
  const driver = await httpDriver(testBed, stack, Math.ceil(count))
  const repeating = await httpDriver(testBed, stack, REPEATED)
  const proxy = await FaultProxy.open({ port: 0 })
  stack.defer(() => proxy.close())
  const server = await archivedPlaceorder(testBed, stack, {
    env: forgetAfter(1),
    through: async ({ url, port }) => {
      proxy.leadTo({ port })
      const through = new URL(url)
      through.port = String(proxy.port)
      return through.href
    },
  })
  const full = closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })
  const { perSecond } = await measure(full, { leadSeconds: plan.warmUpSeconds, seconds: 4 })
  const rate = Math.min(RATE, 10 * Math.floor((SHARE_OF_CAPACITY * perSecond) / 10))
  say(`${Math.round(perSecond)} orders/s at most, ${rate} from now on`)
  await server.archive.untilForgotten()
  const fresh = {
    ...fixedRate(server, driver, { connections: CONNECTIONS, rate }),
    next: full.next,
  }
  const slowly = fixedRate(server, repeating, { connections: REPEATS_RATE, rate: REPEATS_RATE })
  const repeats = { ...slowly, load: { ...slowly.load, again: REPEATED } }
  return { ...server, proxy, fresh, repeats, rate }
}

type Measured = { fresh: Mark; repeats: Mark }

/** Measures new orders from just before `begin`, and repeats, which get `expected`, after it. */
async function observe(
  { fresh, repeats }: System,
  expected: string,
  begin: () => Promise<void>,
): Promise<Measured> {
  const anything = z.unknown()
  const interval = { from: fresh.next, seconds: AWAY_S + 4 }
  await fresh.driver.command('start', { ...fresh.load, ...interval }, anything)
  await wait(1_000)
  await fresh.driver.command('mark', undefined, anything)
  await begin()
  await repeats.driver.command(
    'start',
    { ...repeats.load, from: 0, seconds: AWAY_S, expected },
    anything,
  )
  await wait(1_000 * AWAY_S)
  const marks = {
    fresh: await fresh.driver.command('mark', undefined, Mark),
    repeats: await repeats.driver.command('mark', undefined, Mark),
  }
  fresh.next = await fresh.driver.command('stop', undefined, z.number())
  await repeats.driver.command('stop', undefined, anything)
  return marks
}

const faultsOf = ({ proxy, archive: { postgres } }: System) => ({
  killed: { begin: postgres.kill, end: postgres.restart },
  silent: { begin: async () => proxy.blackHole(), end: () => proxy.heal() },
})

function metricsOf(name: string, before: Measured[], away: Measured[]): Metric[] {
  const each = (of: (one: Measured, i: number) => number) => roundsOf(away.map(of))
  const percent = ({ failed, answered }: Mark) => (100 * failed) / answered
  return [
    {
      what: `${name}: new orders answered U`,
      unit: '%',
      rounds: each(({ fresh }) => percent(fresh)),
      must: { atMost: 0.2 },
    },
    {
      what: `${name}: p99 of new orders over before`,
      unit: '×',
      rounds: each(({ fresh }, i) => fresh.p99 / (before[i]?.fresh.p99 ?? Number.NaN)),
      must: { atMost: 1.2 },
    },
    { what: `${name}: p99 of new orders`, unit: 'ms', rounds: each(({ fresh }) => fresh.p99) },
    {
      what: `${name}: repeats of archived orders not answered U`,
      unit: '%',
      rounds: each(({ repeats }) => percent(repeats)),
      must: { atMost: 0 },
    },
    {
      what: `${name}: the slowest repeat`,
      unit: 'ms',
      rounds: each(({ repeats }) => repeats.max),
      must: { atMost: ANSWER_MS_MAX },
    },
    {
      what: `before it is ${name}: repeats that got another answer than at first`,
      unit: '%',
      rounds: roundsOf(before.map(({ repeats }) => percent(repeats))),
      must: { atMost: 0 },
    },
  ]
}
