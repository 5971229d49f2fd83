import { setTimeout as wait } from 'node:timers/promises'
import { answersPerSecondMax } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { measure } from '../test-bed/measure.ts'
import { closedLoop, placeorder } from '../test-bed/servers.ts'
import { httpDriver, type TestBed } from '../test-bed/test-bed.ts'
import { usageOf } from '../test-bed/usage-of.ts'

const CONNECTIONS = 64

/** Long enough for the kernel's hundredths of a second to be exact within 0.05 % (s). */
const ROUND_S = 20

/** What still has to be done after the last order (s). */
const SETTLE_S = 5

/** Measures what an ingress and a worker take of a core while there is no order. */
export async function idle(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { warmUpSeconds, rounds } = testBed.plan
  const perSecondMax = await answersPerSecondMax(testBed.files.signingKey)
  const count = Math.ceil(perSecondMax * (warmUpSeconds + 2))
  const driver = await httpDriver(testBed, stack, count)
  const server = await placeorder(testBed, stack)
  const warming = closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })
  await measure(warming, { leadSeconds: warmUpSeconds, seconds: 0.5 })
  await wait(1_000 * SETTLE_S)
  const programs = server.programs.filter(({ name }) => name === 'ingress' || name === 'worker')
  const percents = new Map<string, number[]>(programs.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    const cpuMs = () =>
      Promise.all(programs.map(async ({ pid }) => (await usageOf(pid))?.cpuMs ?? Number.NaN))
    const before = await cpuMs()
    await wait(1_000 * ROUND_S)
    const after = await cpuMs()
    programs.forEach(({ name }, i) => {
      const used = (after[i] ?? Number.NaN) - (before[i] ?? Number.NaN)
      percents.get(name)?.push((100 * used) / (1_000 * ROUND_S))
    })
  }
  return {
    name: 'idle',
    title: 'While there is no order',
    metrics: [...percents].map(([name, found]) => ({
      what: `share of a core that an idle ${name} takes`,
      unit: '%',
      rounds: roundsOf(found),
      must: { atMost: 0.5 },
    })),
  }
}
