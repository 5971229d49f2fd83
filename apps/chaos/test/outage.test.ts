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

/** Once Redis is back, orders are served within this time (ms). */
const SERVED_AGAIN_MS_MAX = 2_000

/** How long an outage lasts in each of these tests (ms): longer than an answer may take. */
const OUTAGE_MS = 1_800

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
  await Promise.all(testBed.processes.map((one) => one.start()))
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

/** An order that no limit applies to. */
function anOrder(): PlaceOrderRequest {
  const { customerId: _, ...order } = aPlaceOrder()
  return order
}

const netMs = (call: Pick<RecordedCall, 'ingress' | 'sentAt' | 'endedAt'>) =>
  new Pauses(history.pauses).netMs(call)

/** Places an order. Returns its code and how long it took (ms), less pauses and CPU starvation. */
async function place(order: PlaceOrderRequest = anOrder()) {
  await callers.place(order, ingress)
  const call = history.calls.findLast(({ orderId }) => orderId === orderIdOf(order)) as RecordedCall
  return {
    code: call.ending.kind === 'ANSWERED' ? call.ending.code : call.ending.kind,
    ms: netMs(call),
    call,
  }
}

/**
 * Sends 20 orders a second until one is SUCCESS within `withinMs`. Resolves with how long after
 * `from` that was (ms, net).
 */
async function untilServed(from: number, withinMs: number): Promise<number> {
  let servedAfterMs: number | undefined
  const calls: Promise<void>[] = []
  while (servedAfterMs === undefined) {
    const call = place().then(({ code, ms, call }) => {
      if (code === 'SUCCESS' && ms < withinMs) servedAfterMs ??= netMs({ ...call, sentAt: from })
    })
    calls.push(call)
    await wait(50)
    expect(History.now() - from, 'ms without an order served').toBeLessThan(30_000)
  }
  await Promise.all(calls)
  return servedAfterMs
}

const everyLink = (inject: (proxy: FaultProxy) => Promise<void> | void) =>
  Promise.all(testBed.links.map(({ proxy }) => inject(proxy)))

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
  'while Redis %s, answers are U in time; orders are served 2 s after its return',
  async (_outage, begin, end) => {
    await untilServed(History.now(), WAIT_MS)
    await begin()
    const outageFrom = History.now()
    const during: { order: PlaceOrderRequest; code: string }[] = []
    while (History.now() - outageFrom < OUTAGE_MS) {
      const order = anOrder()
      const { code, ms } = await place(order)
      expect(['UNKNOWN_EXCEPTION', 'PAYMENT_IN_PROCESS']).toContain(code)
      expect(ms).toBeLessThan(WAIT_MS + 200)
      during.push({ order, code })
    }
    expect(during.map(({ code }) => code)).toContain('UNKNOWN_EXCEPTION')
    await end()
    expect(await untilServed(History.now(), WAIT_MS / 2)).toBeLessThan(SERVED_AGAIN_MS_MAX)
  },
)

test.each(['server', 'client'] as const)(
  'with every connection half-open, its %s gone, orders are served within 4 s',
  async (gone) => {
    await untilServed(History.now(), WAIT_MS)
    await everyLink((proxy) => proxy.halfOpen(gone))
    expect(await untilServed(History.now(), WAIT_MS / 2)).toBeLessThan(2 * SERVED_AGAIN_MS_MAX)
  },
)

test.each(outages.slice(1, 2))(
  'while Redis %s, processes end in time and cleanly after SIGTERM',
  async (_name, begin, end) => {
    await untilServed(History.now(), WAIT_MS)
    await begin()
    await place()
    await Promise.all(testBed.processes.map((one) => one.end()))
    await end()
    await Promise.all(testBed.processes.map((one) => one.start()))
    await untilServed(History.now(), WAIT_MS)
  },
)

test('processes that start while Redis is a black hole work once it is reachable', async () => {
  await Promise.all(testBed.processes.map((one) => one.end()))
  await everyLink((proxy) => proxy.blackHole())
  const swallowed = () => testBed.links.map(({ proxy }) => proxy.swallowedBytes)
  const before = swallowed()
  const started = Promise.all(testBed.processes.map((one) => one.start()))
  const allTried = () => swallowed().every((bytes, i) => bytes > (before[i] ?? 0))
  await expect.poll(allTried, { timeout: 30_000 }).toBe(true)
  await everyLink((proxy) => proxy.heal())
  await started
  await untilServed(History.now(), WAIT_MS)
}, 90_000)
