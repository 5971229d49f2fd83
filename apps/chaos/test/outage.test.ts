import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { orderIdOf } from '@placeorder/store'
import { aPlaceOrder, type FaultProxy } from '@placeorder/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Callers } from '../src/callers.ts'
import { watchCpuStarvation } from '../src/cpu-starvation.ts'
import { History, type RecordedCall } from '../src/history/history.ts'
import { Pauses } from '../src/history/pauses.ts'
import type { ManagedProcess } from '../src/managed-process.ts'
import { Random } from '../src/random.ts'
import { type ChaosTestBed, openChaosTestBed, WAIT_MS } from '../src/test-bed.ts'

/** Once Redis is back, orders are served again within this time (ms). */
const GOOD_AGAIN_MS_MAX = 2_000

/** How long Redis is away in each of these tests (ms): longer than an answer may take. */
const AWAY_MS = 1_800

const history = new History()
const processFailures: string[] = []
const watching = new AbortController()
let dir: string
let testBed: ChaosTestBed
let callers: Callers
let ingress: ManagedProcess
let watched: Promise<void>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'placeorder-outage-'))
  testBed = await openChaosTestBed(dir, {
    history,
    random: new Random(1),
    onProcessFailure: (what) => void processFailures.push(what),
    names: ['ingress-1', 'worker-1'],
  })
  callers = new Callers(testBed.system, history)
  ingress = testBed.processes[0] as ManagedProcess
  await Promise.all(testBed.processes.map((managed) => managed.start()))
  watched = watchCpuStarvation(history, () => testBed.processes, watching.signal)
})
afterAll(async () => {
  watching.abort()
  await watched
  await testBed.close()
  await rm(dir, { recursive: true, force: true })
})
afterEach(() => {
  const fresh = processFailures.splice(0)
  expect(fresh).toEqual([])
})

/** An order that no limit stands in the way of. */
function anOrder(): PlaceOrderRequest {
  const { customerId: _, ...order } = aPlaceOrder()
  return order
}

const netMs = (call: Pick<RecordedCall, 'ingress' | 'sentAt' | 'endedAt'>) =>
  new Pauses(history.pauses).netMs(call)

/** Places an order and tells how that went: its code, and how long it took (ms) less what the machine held up. */
async function place(order: PlaceOrderRequest = anOrder()) {
  await callers.place(order, ingress)
  const call = history.calls.findLast(({ orderId }) => orderId === orderIdOf(order)) as RecordedCall
  return {
    code: call.ending.kind === 'ANSWERED' ? call.ending.code : call.ending.kind,
    ms: netMs(call),
    call,
  }
}

/** Sends orders, 20 a second, until one is SUCCESS within `withinMs`; resolves with how long after `from` that was (ms, net). */
async function untilServed(from: number, withinMs: number): Promise<number> {
  let servedAfterMs: number | undefined
  const calls: Promise<void>[] = []
  while (servedAfterMs === undefined) {
    const told = place().then(({ code, ms, call }) => {
      if (code === 'SUCCESS' && ms < withinMs) servedAfterMs ??= netMs({ ...call, sentAt: from })
    })
    calls.push(told)
    await wait(50)
    expect(History.now() - from, 'ms without an order served').toBeLessThan(30_000)
  }
  await Promise.all(calls)
  return servedAfterMs
}

const everyLink = (bring: (proxy: FaultProxy) => Promise<void> | void) =>
  Promise.all(testBed.links.map(({ proxy }) => bring(proxy)))

const outages: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
  [
    'refuses connections',
    () => everyLink((proxy) => proxy.refuse()),
    () => everyLink((proxy) => proxy.heal()),
  ],
  [
    'is a black hole',
    () => everyLink((proxy) => proxy.blackHole()),
    () => everyLink((proxy) => proxy.heal()),
  ],
  ['stalls', () => everyLink((proxy) => proxy.stall()), () => everyLink((proxy) => proxy.heal())],
  ['is killed', () => testBed.redis.kill(), () => testBed.redis.start()],
  [
    'is stopped',
    async () => testBed.redis.signal('SIGSTOP'),
    async () => testBed.redis.signal('SIGCONT'),
  ],
]

test.each(outages)(
  'while Redis %s every answer is a U in time; once it is back, orders are served again within 2 s',
  async (_outage, begin, end) => {
    await untilServed(History.now(), WAIT_MS)
    await begin()
    const awayFrom = History.now()
    const during: { order: PlaceOrderRequest; code: string }[] = []
    while (History.now() - awayFrom < AWAY_MS) {
      const order = anOrder()
      const { code, ms } = await place(order)
      expect(['UNKNOWN_EXCEPTION', 'PAYMENT_IN_PROCESS']).toContain(code)
      expect(ms).toBeLessThan(WAIT_MS + 200)
      during.push({ order, code })
    }
    expect(during.map(({ code }) => code)).toContain('UNKNOWN_EXCEPTION')
    await end()
    expect(await untilServed(History.now(), WAIT_MS / 2)).toBeLessThan(GOOD_AGAIN_MS_MAX)
  },
)

test.each(['server', 'client'] as const)(
  'when every connection to Redis is half-open, its %s gone, orders are served again within 4 s',
  async (gone) => {
    await untilServed(History.now(), WAIT_MS)
    await everyLink((proxy) => proxy.halfOpen(gone))
    expect(await untilServed(History.now(), WAIT_MS / 2)).toBeLessThan(2 * GOOD_AGAIN_MS_MAX)
  },
)

test.each(outages.slice(1, 2))(
  'while Redis %s, processes that are told to end do so in time, and cleanly',
  async (_name, begin, end) => {
    await untilServed(History.now(), WAIT_MS)
    await begin()
    await place()
    await Promise.all(testBed.processes.map((managed) => managed.end()))
    await end()
    await Promise.all(testBed.processes.map((managed) => managed.start()))
    await untilServed(History.now(), WAIT_MS)
  },
)

test('processes that are started into a black hole work once it is over', async () => {
  await Promise.all(testBed.processes.map((managed) => managed.end()))
  await everyLink((proxy) => proxy.blackHole())
  const swallowed = () => testBed.links.map(({ proxy }) => proxy.swallowedBytes)
  const before = swallowed()
  const started = Promise.all(testBed.processes.map((managed) => managed.start()))
  const allTried = () => swallowed().every((bytes, i) => bytes > (before[i] ?? 0))
  await expect.poll(allTried, { timeout: 30_000 }).toBe(true)
  await everyLink((proxy) => proxy.heal())
  await started
  await untilServed(History.now(), WAIT_MS)
}, 90_000)
