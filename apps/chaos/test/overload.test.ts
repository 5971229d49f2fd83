import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { aPlaceOrder, type SignedMessage, sendSigned, signMessage } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { History } from '../src/history/history.ts'
import type { ManagedProcess } from '../src/managed-process.ts'
import { Random } from '../src/random.ts'
import { type ChaosTestBed, openChaosTestBed } from '../src/test-bed.ts'

const refusedCode = 'REQUEST_TRAFFIC_EXCEED_LIMIT'
const ClientsFile = z.object({ clients: z.array(z.looseObject({ clientId: z.string() })) })

/** The kernel counts CPU time in hundredths of a second. */
const TICK_MS = 10

const agent = new Agent({ keepAlive: true, maxSockets: 2_000 })
/** They place a number of orders, however long that takes here; the bounds are in the tests. */
const TIMEOUT_MS = 240_000

let dir: string
let testBed: ChaosTestBed
let ingress: ManagedProcess
let worker: ManagedProcess

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'placeorder-overload-'))
  const options = { history: new History(), random: new Random(1), onProcessFailure: () => {} }
  // One group at a time: a worker that works on more waits less, and this machine would be what is tested.
  const settings = { CONCURRENCY: '1' }
  testBed = await openChaosTestBed(dir, { ...options, names: ['ingress-1', 'worker-1'], settings })
  ;[ingress, worker] = testBed.processes as [ManagedProcess, ManagedProcess]
  await Promise.all(testBed.processes.map((managed) => managed.start()))
})
afterAll(async () => {
  agent.destroy()
  await testBed.close()
  await rm(dir, { recursive: true, force: true })
})

const placeOrderUrl = () => `${ingress.origin}/aps/api/v1/payments/placeOrder`

/** An order that no limit stands in the way of. */
function signedOrder(): Promise<SignedMessage> {
  const { customerId: _, ...order } = aPlaceOrder()
  return signMessage(placeOrderUrl(), order, testBed.system.caller)
}

/** Places an order; tells its code and how long it took (ms). */
async function place(signed?: SignedMessage): Promise<{ code: string; ms: number }> {
  const order = signed ?? (await signedOrder())
  const { code, tookMs } = await sendSigned(placeOrderUrl(), order, testBed.system.caller, {
    agent,
  })
  return { code, ms: tookMs }
}

type Told = { code: string; ms: number; at: number }

/** So many callers, each with its next order as soon as the last one is answered. */
async function inTurns(callers: number, forMs: number): Promise<Told[]> {
  const told: Told[] = []
  const until = performance.now() + forMs
  const call = async () => {
    while (performance.now() < until) told.push({ ...(await place()), at: performance.now() })
  }
  await Promise.all(Array.from({ length: callers }, call))
  return told
}

/** Orders at this rate, whatever becomes of those before. They are signed ahead: to sign five times what can be served takes a core. */
async function atRate(ordersPerSecond: number, forMs: number): Promise<Told[]> {
  const count = Math.ceil((ordersPerSecond * forMs) / 1_000)
  const signed = await Promise.all(Array.from({ length: count }, signedOrder))
  const told: Promise<Told>[] = []
  const startedAt = performance.now()
  for (let elapsed = 0; elapsed < forMs; elapsed = performance.now() - startedAt) {
    while (told.length < (elapsed * ordersPerSecond) / 1_000)
      told.push(place(signed[told.length]).then((answer) => ({ ...answer, at: performance.now() })))
    await wait(5)
  }
  return Promise.all(told)
}

/** Orders with a final answer, a second, among those answered from `fromMs` after the first on. */
function goodput(told: Told[], fromMs: number): number {
  const from = Math.min(...told.map(({ at }) => at)) + fromMs
  const late = told.filter(({ at }) => at >= from)
  const seconds = (Math.max(...late.map(({ at }) => at)) - from) / 1_000
  return late.filter(({ code }) => code === 'SUCCESS').length / seconds
}

/** CPU time that ingress, worker and Redis have used so far, in ms. */
async function cpuMs(): Promise<number> {
  const pids = [ingress.pid, worker.pid, testBed.redis.pid]
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8')))
  const ticks = stats.flatMap((stat) =>
    stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13),
  )
  return ticks.reduce((sum, tick) => sum + Number(tick) * TICK_MS, 0)
}

/** How many orders a second the client may send; undefined: any number. */
async function limitRate(ordersPerSecondMax: number | undefined): Promise<void> {
  const file = join(testBed.system.dir, 'clients.json')
  const { clients } = ClientsFile.parse(JSON.parse(await readFile(file, 'utf8')))
  const limited = clients.map((client) => ({ ...client, ordersPerSecondMax }))
  await writeFile(file, JSON.stringify({ clients: limited }))
}

/** CPU time that ingress, worker and Redis use by themselves, as a share of a processor. */
async function idleShare(): Promise<number> {
  const [before, startedAt] = [await cpuMs(), performance.now()]
  await wait(4_000)
  return ((await cpuMs()) - before) / (performance.now() - startedAt)
}

/** What an order costs that is answered so, in ms of CPU time beyond what an idle system uses: 20 callers place 100 each, one after the other. */
async function costOf(code: string, idle: number): Promise<number> {
  const callers = 20
  const orders = callers * 100
  const [before, startedAt] = [await cpuMs(), performance.now()]
  let others = 0
  const inOrder = async () => {
    for (let n = 0; n < orders / callers; n += 1) if ((await place()).code !== code) others += 1
  }
  await Promise.all(Array.from({ length: callers }, inOrder))
  expect(others).toBeLessThan(0.05 * orders) // One a second is let through where nearly all are refused.
  return ((await cpuMs()) - before - idle * (performance.now() - startedAt)) / orders
}

/**
 * What served and refused orders cost (ms of CPU time), by turns, so that whatever slows the machine down for a while slows both. In
 * the first turn code is compiled; of the others the least counts, since other work on the machine only adds to it.
 */
async function costs(): Promise<{ served: number; refused: number }> {
  const idle = await idleShare()
  const served: number[] = []
  const refused: number[] = []
  for (let turn = 0; turn < 8; turn += 1) {
    for (const [rate, code, found] of [
      [undefined, 'SUCCESS', served],
      [1, refusedCode, refused],
    ] as const) {
      await limitRate(rate)
      await expect.poll(async () => (await place()).code, { timeout: 10_000 }).toBe(code)
      found.push(await costOf(code, idle))
    }
  }
  const least = (found: number[]) => Math.min(...found.slice(1))
  return { served: least(served), refused: least(refused) }
}

test('five times of what callers in step are served: goodput stays above 80 %, and 5 s later nothing is left of it', {
  timeout: TIMEOUT_MS,
}, async () => {
  // The way of the worker to Redis is so slow that little can be served: callers and ingress have to keep up with five times of it.
  testBed.links[1]?.proxy.slow(45)
  // In step with its callers the worker waits for them too, and does more when orders come whatever becomes of those before.
  const capacity = goodput(await inTurns(128, 5_000), 1_000)
  const told = await atRate(5 * capacity, 6_000)
  const refused = told.filter(({ code }) => code === refusedCode).length
  const fallenAt = performance.now()
  expect(goodput(told, 1_000)).toBeGreaterThan(0.8 * capacity)
  expect(refused).toBeGreaterThan(told.length / 4)
  while ((await atRate(capacity / 2, 500)).some(({ code }) => code !== 'SUCCESS'))
    expect(performance.now() - fallenAt).toBeLessThan(5_000)
})

test('a refused order costs less than a fifth of a served one, in CPU time', {
  timeout: TIMEOUT_MS,
}, async () => {
  await testBed.links[1]?.proxy.heal()
  const { served, refused } = await costs()
  expect(refused).toBeLessThan(served / 5)
})
