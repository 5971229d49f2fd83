import { type Interval, measure, type Sample, type Subject } from '../test-bed/measure.ts'
import { isPeer, type Peer } from '../test-bed/peers.ts'
import type { CommandedProgram } from '../test-bed/program.ts'
import { closedLoop, fixedRate, type Server } from '../test-bed/servers.ts'
import type { TestBed } from '../test-bed/test-bed.ts'

/** What is put on a system: a closed loop, or an open one at a fixed rate. */
export type Load = { inFlight: number } | { rate: number } | { capacityShare: number }

export type CurvePlan = {
  loads: readonly Load[]
  rounds: number
  /** How long load is on before a point is measured, and how long it is measured (s). */
  leadSeconds: number
  seconds: number
  warmUpSeconds: number
  /** More orders a second than can be answered. */
  perSecondMax: number
}

/** By load, then by system, the sample of each round; undefined where orders failed. */
export type Curve = Map<Load, Map<string, (Sample | undefined)[]>>

/** Orders in flight while the systems warm up. */
const WARMING = 64

/** Connections of the open loop: each sends at the same pace. */
const OPEN_CONNECTIONS = 50

/** From these a peer gets the concurrency with which it answers most orders at these loads. */
const CONCURRENCIES = [8, 16, 32, 64, 128, 256] as const
const TUNING_IN_FLIGHT = [64, 256] as const
const TUNING_SECONDS = 1

/** An order alone takes at least this (ms), whoever answers it. */
const ORDER_MS_MIN = 1

/** For how long a system may be under load at a point beside what the plan says (s). */
const SPARE_SECONDS = 0.5

/** More orders than any system is sent. */
export function ordersMax({ loads, rounds, perSecondMax, ...plan }: CurvePlan): number {
  const atOnce = loads
    .map((load) => {
      if ('inFlight' in load) return mostAt(load.inFlight, perSecondMax)
      return 'rate' in load ? load.rate : load.capacityShare * perSecondMax
    })
    .reduce((sum, one) => sum + one, 0)
  const seconds = plan.leadSeconds + plan.seconds + SPARE_SECONDS
  return Math.ceil(atOnce * seconds * rounds + perSecondMax * (plan.warmUpSeconds + 1))
}

const mostAt = (inFlight: number, perSecondMax: number): number =>
  Math.min(perSecondMax, (1_000 * inFlight) / ORDER_MS_MIN)

type Run = (subject: Subject, interval: Interval) => Promise<Sample | undefined>

/** Measures each load on each system in turn, round after round, once all are warm. */
export async function measureCurve(
  testBed: TestBed,
  { servers, driver, ...plan }: CurvePlan & { servers: Server[]; driver: CommandedProgram },
): Promise<{ curve: Curve; notes: string[] }> {
  const { perSecondMax } = plan
  const closed = (server: Server, connections: number) =>
    closedLoop(server, driver, { connections, perSecondMax: mostAt(connections, perSecondMax) })
  const run = runner(testBed)
  const notes: string[] = []
  for (const server of servers) {
    testBed.say(`${server.name}: warming up`)
    await run(closed(server, WARMING), { leadSeconds: plan.warmUpSeconds, seconds: 0.5 })
    if (isPeer(server)) notes.push(await tune(testBed, server, { plan, run, closed }))
  }
  const curve: Curve = new Map(plan.loads.map((load) => [load, new Map()]))
  for (let round = 1; round <= plan.rounds; round += 1) {
    const capacities = new Map<string, number>()
    const subjectOf = (load: Load, server: Server) => {
      if ('inFlight' in load) return closed(server, load.inFlight)
      const capacity = capacities.get(server.name) ?? 0
      const rate = 'rate' in load ? load.rate : load.capacityShare * capacity
      return fixedRate(server, driver, { connections: OPEN_CONNECTIONS, rate })
    }
    for (const [load, samples] of curve) {
      for (const server of servers) {
        const sample = await run(subjectOf(load, server), plan)
        samples.set(server.name, [...(samples.get(server.name) ?? []), sample])
        const capacity = capacities.get(server.name) ?? 0
        capacities.set(server.name, Math.max(capacity, sample?.perSecond ?? 0))
      }
      testBed.say(`${labelOf(load)}, round ${round} of ${plan.rounds}`)
    }
  }
  return { curve, notes }
}

export function labelOf(load: Load): string {
  if ('inFlight' in load) return `${load.inFlight} in flight`
  if ('rate' in load) return `${load.rate.toLocaleString('en-US')} a second`
  return `${Math.round(100 * load.capacityShare)} % of capacity`
}

/** Measures a system with orders that it has not seen; undefined if it did not place all. */
function runner(testBed: TestBed): Run {
  const next = new Map<string, number>()
  return async (subject, interval) => {
    subject.next = next.get(subject.name) ?? 0
    try {
      return await measure(subject, interval)
    } catch (error) {
      // More than this machine can do: orders were refused.
      testBed.say(error instanceof Error ? error.message : String(error))
      return undefined
    } finally {
      next.set(subject.name, subject.next)
    }
  }
}

type Tuning = { plan: CurvePlan; run: Run; closed: (server: Server, inFlight: number) => Subject }

/** Gives a peer the concurrency with which it answers most orders. Resolves with what was tried. */
async function tune(
  testBed: TestBed,
  server: Peer,
  { plan, run, closed }: Tuning,
): Promise<string> {
  const tried: { concurrency: number; rates: number[] }[] = []
  for (const concurrency of CONCURRENCIES) {
    await server.setConcurrency(concurrency)
    const rates: number[] = []
    for (const inFlight of TUNING_IN_FLIGHT) {
      const interval = { leadSeconds: plan.leadSeconds, seconds: TUNING_SECONDS }
      rates.push(Math.round((await run(closed(server, inFlight), interval))?.perSecond ?? 0))
    }
    tried.push({ concurrency, rates })
  }
  const product = ({ rates }: { rates: number[] }) => rates.reduce((all, rate) => all * rate, 1)
  const [best] = tried.toSorted((a, b) => product(b) - product(a))
  await server.setConcurrency(best?.concurrency ?? WARMING)
  const note =
    `${server.name} has a concurrency of ${best?.concurrency}. ` +
    `Orders/s at ${TUNING_IN_FLIGHT.join(' and ')} in flight, by concurrency: ` +
    `${tried.map(({ concurrency, rates }) => `${concurrency}: ${rates.join(' and ')}`).join('; ')}.`
  testBed.say(note)
  return note
}
