import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repositoryRoot } from '@placeorder/local-services/repository-root'
import { answersPerSecondMax } from '../baselines/signing.ts'
import { chartsSvg } from '../report/line-chart.ts'
import { digits } from '../report/markdown.ts'
import type { Benchmark } from '../report/metric.ts'
import { median } from '../statistics.ts'
import { measure, type Sample, type Subject } from '../test-bed/measure.ts'
import { closedLoop, fixedRate, noOpHandler, placeorder, type Server } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { commandsNote } from './rounds.ts'

/** Orders in flight in a closed loop. */
const IN_FLIGHT = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const

/** Orders a second in an open loop, which sends them whether or not the earlier are answered. */
const RATES = [50, 200, 500, 1_000] as const

/** Connections of the open loop: each sends at the same pace. */
const CONNECTIONS = 50

/** Orders in flight while the servers warm up. */
const WARMING = 64

/** An order alone takes more than this (ms), so no more can be answered. */
const ORDER_MS_MIN = { short: 2, long: 0.5 } as const

type Point = { load: string; inFlight: number | undefined; subjectOf: (server: Server) => Subject }

/** What is measured: by point, then by server, a sample of each round. */
type Curve = Map<Point, Map<string, Sample[]>>

/**
 * Signed orders over HTTP, from one in flight to far more than can be answered at once: what an
 * order takes of time, CPU, Redis commands and syncs.
 */
export async function curve(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { plan } = testBed
  const rounds = plan.short ? 1 : plan.rounds
  const perSecondMax = await answersPerSecondMax(testBed.files.signingKey)
  const mostAt = (inFlight: number) =>
    Math.min(perSecondMax, (1_000 * inFlight) / ORDER_MS_MIN[plan.short ? 'short' : 'long'])
  const seconds = plan.leadSeconds + plan.seconds + 1.5
  const [loads, rates] = plan.inFlight ? [plan.inFlight, []] : [IN_FLIGHT, RATES]
  const sent = [...loads.map(mostAt), ...rates].reduce((sum, one) => sum + one, 0)
  const share = plan.short ? 0.5 : 1 // placeorder alone is far from what is possible.
  const count = Math.ceil(share * (sent * seconds * rounds + perSecondMax * plan.warmUpSeconds))
  const driver = await httpDriver(testBed, stack, count)
  const servers = await serversOf(testBed, stack)
  const points: Point[] = [
    ...loads.map((inFlight) => ({
      load: `${inFlight} in flight`,
      inFlight,
      subjectOf: (server: Server) =>
        closedLoop(server, driver, { connections: inFlight, perSecondMax: mostAt(inFlight) }),
    })),
    ...rates.map((rate) => ({
      load: `${rate.toLocaleString('en-US')} a second`,
      inFlight: undefined,
      subjectOf: (server: Server) => fixedRate(server, driver, { connections: CONNECTIONS, rate }),
    })),
  ]
  const warming = (server: Server) =>
    closedLoop(server, driver, { connections: WARMING, perSecondMax })
  const measured = await measureCurve(testBed, { servers, points, rounds, warming })
  await writeFile(plan.plot ?? join(repositoryRoot, '.bench/curve.svg'), plotOf(measured))
  return report(measured, servers)
}

async function serversOf(testBed: TestBed, stack: AsyncDisposableStack): Promise<Server[]> {
  const { short, against } = testBed.plan
  const ours = await placeorder(testBed, stack)
  if (against !== undefined)
    return [ours, await placeorder(testBed, stack, { name: 'the other', root: against })]
  return short ? [ours] : [ours, await noOpHandler(testBed, stack)]
}

type CurvePlan = {
  servers: readonly Server[]
  points: readonly Point[]
  rounds: number
  warming: (server: Server) => Subject
}

/** Measures each point with each server in turn, round after round. */
async function measureCurve(
  testBed: TestBed,
  { servers, points, rounds, warming }: CurvePlan,
): Promise<Curve> {
  const { leadSeconds, seconds, warmUpSeconds } = testBed.plan
  const next = new Map<string, number>()
  const run = async (server: Server, subject: Subject, leadSeconds: number, seconds: number) => {
    subject.next = next.get(server.name) ?? 0
    try {
      return await measure(subject, { leadSeconds, seconds })
    } catch (error) {
      // More than this machine can do: orders were refused.
      testBed.say(error instanceof Error ? error.message : String(error))
      return undefined
    } finally {
      next.set(server.name, subject.next)
    }
  }
  for (const server of servers) {
    testBed.say(`${server.name}: warming up`)
    await run(server, warming(server), warmUpSeconds, 0.5)
  }
  const measured: Curve = new Map(points.map((point) => [point, new Map()]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const [point, samples] of measured) {
      for (const server of servers) {
        const sample = await run(server, point.subjectOf(server), leadSeconds, seconds)
        if (sample === undefined) continue
        samples.set(server.name, [...(samples.get(server.name) ?? []), sample])
      }
      testBed.say(`${point.load}, round ${round} of ${rounds}`)
    }
  }
  return measured
}

/** What is reported of each point. */
const figures: Record<string, (sample: Sample) => number> = {
  'orders/s': ({ perSecond }) => perSecond,
  'p50, ms': ({ p50 }) => p50,
  'p99, ms': ({ p99 }) => p99,
  'CPU, µs: ingress': ({ cpuUs }) => cpuUs.ingress ?? cpuUs.server ?? Number.NaN,
  worker: ({ cpuUs }) => cpuUs.worker ?? Number.NaN,
  Redis: ({ cpuUs }) => cpuUs.redis ?? Number.NaN,
  'Redis commands': ({ commands }) => commands || Number.NaN,
  syncs: ({ syncs }) => syncs,
}

function report(measured: Curve, servers: readonly Server[]): Benchmark {
  const head = (first: string) => [
    `| ${[first, ...Object.keys(figures)].join(' | ')} |`,
    `| --- |${' ---: |'.repeat(Object.keys(figures).length)}`,
  ]
  const row = (name: string, values: number[]) =>
    `| ${name} | ${values.map((value) => (Number.isNaN(value) ? '' : digits(value))).join(' | ')} |`
  const medians = (samples: readonly Sample[]) =>
    Object.values(figures).map((of) => median(samples.map(of)))
  const tables = servers.flatMap(({ name }, i) => [
    ...(i > 0 ? [''] : []),
    ...head(`${name}, an order`),
    ...[...measured].map(([{ load }, samples]) => row(load, medians(samples.get(name) ?? []))),
  ])
  const [ours, other] = servers.map(({ name }) => name)
  const ratios = ([{ load }, samples]: [Point, Map<string, Sample[]>]) => {
    const [over, under] = [samples.get(ours ?? '') ?? [], samples.get(other ?? '') ?? []]
    const pairs = over.flatMap((one, i) => (under[i] ? [[one, under[i]] as const] : []))
    return row(
      load,
      Object.values(figures).map((of) => median(pairs.map(([one, two]) => of(one) / of(two)))),
    )
  }
  const compared =
    other === undefined ? [] : ['', ...head(`${ours} over ${other}`), ...[...measured].map(ratios)]
  const [first, samples] = [...measured][0] ?? []
  return {
    name: 'curve',
    title: 'Signed orders over HTTP, from one in flight to 256',
    metrics: [],
    table: [...tables, ...compared],
    notes: [`${first?.load}: ${commandsNote(ours ?? '', samples?.get(ours ?? '') ?? [])}`],
  }
}

function plotOf(measured: Curve): string {
  const names = [...([...measured.values()][0]?.keys() ?? [])]
  const lineOf = (name: string, server: string, of: (sample: Sample) => number) => ({
    name,
    points: [...measured].flatMap(([{ inFlight }, samples]) => {
      const value = median((samples.get(server) ?? []).map(of))
      return inFlight === undefined || Number.isNaN(value) ? [] : [[inFlight, value] as const]
    }),
  })
  return chartsSvg([
    {
      title: 'Latency, ms',
      xLabel: 'orders in flight',
      lines: names.flatMap((name) => [
        lineOf(`${name}, p50`, name, ({ p50 }) => p50),
        lineOf(`${name}, p99`, name, ({ p99 }) => p99),
      ]),
    },
    {
      title: 'Orders a second',
      xLabel: 'orders in flight',
      lines: names.map((name) => lineOf(name, name, ({ perSecond }) => perSecond)),
    },
  ])
}
