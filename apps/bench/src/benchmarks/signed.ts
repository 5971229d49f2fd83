import { signingRate } from '../baselines/signing.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import type { Sample } from '../test-bed/measure.ts'
import { closedLoop, noOpHandler, placeorder, type Server } from '../test-bed/servers.ts'
import { smokeTest } from '../test-bed/smoke-test.ts'
import { asked, httpDriver, redisFor, serverFor, type TestBed } from '../test-bed/test-bed.ts'
import { alternate, commandsNote, cpuNote, finding, loadSeconds, ratio } from './rounds.ts'

const CONNECTIONS = 64

/** Signed orders over HTTP: ours, the obvious way, a server that signs a constant answer, and signing alone. */
export async function signed(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { rounds, seconds } = testBed.plan
  testBed.say('signing alone')
  const bare = [await signingRate(testBed.files.signingKey, 1_000 * seconds)]
  // Each answer needs a signature, so more than that cannot be answered.
  const perSecondMax = bare[0] ?? 0
  const driver = await httpDriver(
    testBed,
    stack,
    Math.ceil(perSecondMax * loadSeconds(testBed.plan)),
  )
  const servers = [
    await placeorder(testBed, stack),
    await noOpHandler(testBed, stack),
    await obviousWay(testBed, stack),
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
  const [us, constant, obvious] = [of('placeorder'), of('a signed constant'), of('the obvious way')]
  const names = [...samples.keys()]
  return {
    name: 'signed',
    title: `Signed orders over HTTP, ${CONNECTIONS} connections`,
    metrics: [
      ratio('placeorder over a signed constant', [us, constant], perSecond, {
        atLeast: 0.8,
        aim: 0.9,
      }),
      {
        what: 'placeorder over signing alone',
        unit: '×',
        rounds: roundsOf(us.map((sample, i) => sample.perSecond / (bare[i] ?? Number.NaN))),
        must: { atLeast: 0.6, aim: 0.7 },
      },
      ratio('p99 of placeorder over that of a signed constant', [us, constant], ({ p99 }) => p99, {
        atMost: 1.5,
      }),
      ratio('placeorder over the obvious way', [us, obvious], perSecond),
      ...names.map((name) => finding(`${name}, throughput`, 'orders/s', of(name), perSecond)),
      { what: 'signing alone, all cores', unit: 'signatures/s', rounds: roundsOf(bare) },
      ...names.map((name) => finding(`${name}, p50`, 'ms', of(name), ({ p50 }) => p50)),
      ...names.map((name) => finding(`${name}, p99`, 'ms', of(name), ({ p99 }) => p99)),
      finding('placeorder, Redis commands an order', '', us, ({ commands }) => commands),
      finding('the obvious way, Redis commands an order', '', obvious, ({ commands }) => commands),
    ],
    notes: [...names.map((name) => cpuNote(name, of(name))), commandsNote('placeorder', us)],
  }
}

async function obviousWay(testBed: TestBed, stack: AsyncDisposableStack): Promise<Server> {
  const name = 'the obvious way'
  const redis = await redisFor(testBed, stack, 'obvious')
  const env = { REDIS_URL: redis.url, POLICY_FILE: testBed.files.policy }
  const worker = await asked(stack, 'worker', 'baselines/obvious-worker.ts', env)
  const server = await serverFor(testBed, stack, 'baselines/obvious-server.ts', env)
  await smokeTest(testBed, name, [server.url])
  return {
    name,
    urls: [server.url],
    redis,
    programs: [server, worker, { name: 'redis', pid: redis.pid }],
  }
}
