import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from '@placeorder/local-services/repository-root'
import { ANSWERS_PER_SIGNATURE, signingRate } from '../baselines/signing.ts'
import type { Plan } from '../options.ts'
import type { Benchmark } from '../report/metric.ts'
import { peer } from '../test-bed/peers.ts'
import { durableFloor, noOpHandler, placeorder, type Server } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { metricsOf } from './curve-metrics.ts'
import { commandNotes, plotOf, tablesOf } from './curve-report.ts'
import { type CurvePlan, measureCurve, ordersMax } from './curve-rounds.ts'

/** Orders in flight in a closed loop. */
const IN_FLIGHT = { long: [1, 2, 4, 8, 16, 32, 64, 128, 256], short: [1, 8, 64, 256] } as const

/** Orders a second in an open loop, which sends them whether or not the earlier are answered. */
const RATES = { long: [50, 200, 500, 1_000], short: [200] } as const

/** The open loop at this share of the most orders that a system answered in a closed loop. */
const CAPACITY_SHARES = { long: [0.8], short: [] } as const

/** How long load is on before the first round (s); a peer's concurrency is chosen after it. */
const WARM_UP_SECONDS = { long: 15, short: 4 } as const

/** How long load is on before a point is measured (s). */
const LEAD_SECONDS = 0.5

/** The systems, by their names in `--systems`. */
const SYSTEMS: Record<string, (testBed: TestBed, stack: AsyncDisposableStack) => Promise<Server>> =
  {
    placeorder,
    floor: durableFloor,
    'no-op': noOpHandler,
    naive: (testBed, stack) => peer(testBed, stack, 'naive'),
    bee: (testBed, stack) => peer(testBed, stack, 'bee'),
    'job-queue': (testBed, stack) => peer(testBed, stack, 'job-queue'),
  }

/**
 * Signed orders over HTTP, from one in flight to far more than can be answered at once: what an
 * order takes of time, CPU, Redis commands and syncs. Measured are placeorder, its peers, the least
 * that any correct implementation does, and a handler that does nothing.
 */
export async function curve(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { plan } = testBed
  const signaturesPerSecond = await signingRate(testBed.files.signingKey, 1_000)
  const curvePlan = curvePlanOf(plan, ANSWERS_PER_SIGNATURE * signaturesPerSecond)
  const driver = await httpDriver(testBed, stack, ordersMax(curvePlan))
  const servers = await serversOf(testBed, stack)
  const { curve: measured, notes } = await measureCurve(testBed, { servers, driver, ...curvePlan })
  await writeFile(plan.plot ?? join(repositoryRoot, '.bench/curve.svg'), plotOf(measured))
  const signatureUs = (1e6 * availableParallelism()) / signaturesPerSecond
  const { rounds, seconds } = curvePlan
  return {
    name: 'curve',
    title: 'Signed orders over HTTP, from one in flight to 256',
    metrics: plan.short ? [] : metricsOf(measured, signatureUs),
    table: tablesOf(measured),
    notes: [`${rounds} rounds of ${seconds} s.`, ...notes, ...commandNotes(measured)],
  }
}

function curvePlanOf(plan: Plan, perSecondMax: number): CurvePlan {
  const form = plan.short ? 'short' : 'long'
  const loads =
    plan.inFlight === undefined
      ? [
          ...IN_FLIGHT[form].map((inFlight) => ({ inFlight })),
          ...RATES[form].map((rate) => ({ rate })),
          ...CAPACITY_SHARES[form].map((capacityShare) => ({ capacityShare })),
        ]
      : plan.inFlight.map((inFlight) => ({ inFlight }))
  return {
    loads,
    rounds: plan.short ? 1 : plan.rounds,
    leadSeconds: LEAD_SECONDS,
    seconds: plan.curveSeconds,
    warmUpSeconds: WARM_UP_SECONDS[form],
    perSecondMax,
  }
}

async function serversOf(testBed: TestBed, stack: AsyncDisposableStack): Promise<Server[]> {
  const { systems, against } = testBed.plan
  const names = systems ?? (against === undefined ? Object.keys(SYSTEMS) : ['placeorder'])
  const servers: Server[] = []
  for (const name of names) {
    const start = SYSTEMS[name]
    if (start === undefined)
      throw new Error(`there is no system ${name}: ${Object.keys(SYSTEMS).join(', ')}`)
    servers.push(await start(testBed, stack))
  }
  if (against !== undefined)
    servers.splice(1, 0, await placeorder(testBed, stack, { name: 'the other', root: against }))
  return servers
}
