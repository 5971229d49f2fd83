import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { openNotifierStore, type RedisAddress } from '@placeorder/store'
import { z } from 'zod'
import { answersPerSecondMax } from '../baselines/signing.ts'
import { Mark } from '../drivers/load.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { measure } from '../test-bed/measure.ts'
import type { CommandedProgram, Program } from '../test-bed/program.ts'
import { closedLoop, fixedRate, placeorder } from '../test-bed/servers.ts'
import {
  commanded,
  httpDriver,
  notifierFor,
  redisFor,
  type TestBed,
  workerFor,
} from '../test-bed/test-bed.ts'
import { usageOf } from '../test-bed/usage-of.ts'

const SINK = 'bench'
const BATCH = 100
const CONNECTIONS = 100

/** A machine that can do less than the rate is given this share of what it can do. */
const SHARE_OF_CAPACITY = 0.6

/** How long deliveries are measured before the endpoint goes away (s). */
const STEADY_S = 60

/** How long all that waited may take (s). */
const RETURN_S_MAX = 120
const POLL_MS = 100
/** Once nothing has come for so long (s), no more comes. */
const SETTLE_S = 2

/** A sink is caught up when it is no further behind than this (s). */
const BEHIND_S = 1

const IN_FLIGHT = 256

const anything = z.unknown()
const Received = z.object({
  delivered: z.number(),
  events: z.number(),
  p50: z.number().or(z.nan()),
  p99: z.number().or(z.nan()),
})

/** How fast events are delivered, and how fast again after the endpoint was away. */
export async function events(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { sustainedSeconds: awaySeconds } = testBed.plan
  const { receiver, load, answered, rate, settings } = await openSystem(testBed, stack)
  const received = () => receiver.command('mark', undefined, Received)
  await load.driver.command('start', { ...load.load, ...settings }, anything)
  await answered()
  await received()
  await wait(1_000 * STEADY_S)
  const steady = await received()
  testBed.say('the endpoint goes away')
  await receiver.command('answer', 503, anything)
  await wait(1_000 * awaySeconds)
  const away = await received()
  await receiver.command('answer', 200, anything)
  const backAt = performance.now()
  const waiting = (await answered()) - away.delivered
  const limit = backAt + 1_000 * RETURN_S_MAX
  while ((await answered()) - (await received()).delivered > BEHIND_S * rate) {
    if (performance.now() > limit) throw new Error(`it is not caught up in ${RETURN_S_MAX} s`)
    await wait(POLL_MS)
  }
  const backS = (performance.now() - backAt) / 1_000
  await load.driver.command('stop', undefined, anything)
  const concluded = await answered()
  while ((await received()).delivered < concluded) {
    if (performance.now() > limit) break
    await wait(POLL_MS)
  }
  const last = await received()
  const one = (value: number) => roundsOf([value])
  const waited = waiting.toLocaleString('en-US')
  return {
    name: 'events',
    title: `A webhook sink with batches of ${BATCH}, ${rate} signed orders a second`,
    metrics: [
      {
        what: 'from conclusion to delivery, p99',
        unit: 'ms',
        rounds: one(steady.p99),
        must: { atMost: 1_000 },
      },
      { what: 'from conclusion to delivery, p50', unit: 'ms', rounds: one(steady.p50) },
      {
        what: `after ${awaySeconds} s away, until all that waited are delivered`,
        unit: 's',
        rounds: one(backS),
        must: { atMost: 60 },
      },
      {
        what: 'orders of which no event came',
        unit: '',
        // Those that were under way when the load stopped have events and no answers.
        rounds: one(Math.max(0, concluded - last.delivered)),
        must: { atMost: 0 },
      },
      {
        what: 'events that came more than once',
        unit: '',
        rounds: one(last.events - last.delivered),
      },
    ],
    notes: [`When the endpoint came back, ${waited} events waited.`],
  }
}

/** Starts all of it, warm, and finds out what it can do. */
async function openSystem(testBed: TestBed, stack: AsyncDisposableStack) {
  const { plan, say, files } = testBed
  const seconds = plan.sustainedSeconds + STEADY_S + RETURN_S_MAX
  const perSecondMax = await answersPerSecondMax(files.signingKey)
  const count = plan.sustainedRate * seconds + perSecondMax * (plan.warmUpSeconds + 6)
  const driver = await httpDriver(testBed, stack, Math.ceil(count))
  const redis = await redisFor(testBed, stack, 'events')
  const server = await placeorder(testBed, stack, { redis })
  const { receiver } = await openSink(testBed, stack, redis.address)
  const full = closedLoop(server, driver, { connections: CONNECTIONS, perSecondMax })
  const { perSecond } = await measure(full, { leadSeconds: plan.warmUpSeconds, seconds: 4 })
  const most = CONNECTIONS * Math.floor((SHARE_OF_CAPACITY * perSecond) / CONNECTIONS)
  const rate = Math.min(plan.sustainedRate, most)
  say(`${Math.round(perSecond)} orders/s at most, ${rate} from now on`)
  const load = fixedRate(server, driver, { connections: CONNECTIONS, rate })
  // Those of the smoke test and of warming up are not counted by marks, but are delivered as well.
  let sum = await settledCount(receiver)
  const answered = async () => {
    const mark = await driver.command('mark', undefined, Mark)
    if (mark.failed > 0) throw new Error(`${mark.failed} answers were wrong: ${mark.why}`)
    sum += mark.answered
    return sum
  }
  return { receiver, load, answered, rate, settings: { from: full.next, seconds } }
}

/** How many events came, once no more do. */
async function settledCount(receiver: CommandedProgram): Promise<number> {
  for (let before = -1; ; ) {
    const { delivered } = await receiver.command('mark', undefined, Received)
    if (delivered === before) return delivered
    before = delivered
    await wait(1_000 * SETTLE_S)
  }
}

/** Starts an endpoint and a notifier that reads the outbox for it. */
async function openSink(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  address: RedisAddress,
): Promise<{ receiver: CommandedProgram; notifier: Program }> {
  const receiver = await commanded(stack, 'receiver', 'drivers/event-receiver.ts')
  const url = await receiver.command('listen', undefined, z.string())
  const secrets = [`whsec_${Buffer.alloc(32, 1).toString('base64')}`]
  const file = join(testBed.dir, 'files', 'events.json')
  const sink = { name: SINK, type: 'webhook', url, secrets, batch: BATCH }
  await writeFile(file, JSON.stringify({ sinks: [sink] }))
  const notifier = await notifierFor(testBed, stack, address, { EVENTS_FILE: file })
  const store = await openNotifierStore({ address, shards: 1, replicasMin: 0, onFault: () => {} })
  while (!(await store.streams.list(0)).includes(SINK)) await wait(POLL_MS)
  await store.close()
  return { receiver, notifier }
}

/** What a notifier's memory costs while very many events wait for an endpoint that is down. */
export async function eventsWaiting(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { storedOrders } = testBed.plan
  const redis = await redisFor(testBed, stack, 'waiting')
  await workerFor(testBed, stack, redis.address)
  const { receiver, notifier } = await openSink(testBed, stack, redis.address)
  const driver = await commanded(stack, 'driver', 'drivers/store-driver.ts', {
    REDIS_URL: redis.url,
  })
  const resident = async () => (await usageOf(notifier.pid))?.residentBytes ?? Number.NaN
  const before = await resident()
  await receiver.command('answer', 503, anything)
  await driver.command('start', { inFlight: IN_FLIGHT, from: 0 }, anything)
  let most = 0
  for (let stored = 0; stored < storedOrders; ) {
    await wait(1_000)
    const mark = await driver.command('mark', undefined, Mark)
    if (mark.failed > 0) throw new Error(`${mark.failed} answers were wrong: ${mark.why}`)
    stored += mark.answered
    most = Math.max(most, await resident())
    testBed.say(`${stored.toLocaleString('en-US')} events wait`)
  }
  await driver.command('stop', undefined, anything)
  const back = await whenBack(receiver, notifier)
  const mb = (bytes: number) => roundsOf([bytes / 1e6])
  return {
    name: 'events-waiting',
    title: `${storedOrders.toLocaleString('en-US')} events wait for a sink that is down`,
    metrics: [
      {
        what: 'growth of the notifier’s memory meanwhile, at most',
        unit: 'MB',
        rounds: mb(most - before),
        must: { atMost: 150 },
      },
      { what: 'its memory, at most', unit: 'MB', rounds: mb(most) },
      { what: 'its memory before', unit: 'MB', rounds: mb(before) },
      {
        what: 'delivered once it is back, with nothing else to do',
        unit: 'events/s',
        rounds: roundsOf([back.perSecond]),
      },
      {
        what: 'CPU of the notifier meanwhile, per event',
        unit: 'µs',
        rounds: roundsOf([back.cpuUs]),
      },
    ],
  }
}

/** How fast all that waited is delivered, from the first of them to the last. */
async function whenBack(receiver: CommandedProgram, notifier: Program) {
  const usage = async () => (await usageOf(notifier.pid))?.cpuMs ?? Number.NaN
  const received = async () => (await receiver.command('mark', undefined, Received)).delivered
  const before = await received()
  await receiver.command('answer', 200, anything)
  while ((await received()) === before) await wait(POLL_MS)
  const [beganAt, cpuBefore] = [performance.now(), await usage()]
  let [delivered, lastAt] = [before, beganAt]
  while (performance.now() - lastAt < 1_000 * SETTLE_S) {
    await wait(POLL_MS)
    const now = await received()
    if (now > delivered) lastAt = performance.now()
    delivered = now
  }
  const events = delivered - before
  return {
    perSecond: (1_000 * events) / (lastAt - beganAt),
    cpuUs: (1_000 * ((await usage()) - cpuBefore)) / events,
  }
}
