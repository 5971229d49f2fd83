import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { connect, disconnect, type RedisConnection } from '@placeorder/store'
import { openKey } from '@placeorder/store/keys'
import { aPlaceOrder, signedCall } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Callers } from '../src/callers.ts'
import { watchCpuStarvation } from '../src/cpu-starvation.ts'
import { generateLoad } from '../src/generate-load.ts'
import { checkHistory } from '../src/history/check-history.ts'
import { History } from '../src/history/history.ts'
import { Pauses } from '../src/history/pauses.ts'
import { readStoredState } from '../src/history/stored-state.ts'
import type { ManagedProcess } from '../src/managed-process.ts'
import { Random } from '../src/random.ts'
import { untilRecovered } from '../src/recovery.ts'
import { type ChaosTestBed, openChaosTestBed, WAIT_MS } from '../src/test-bed.ts'
import { chaosPolicy, directoryFor } from '../src/workload.ts'

/** Another worker decides the orders in flight at a killed one within this time (ms). */
const DECIDED_BY_ANOTHER_MS_MAX = 10_000

/** "At once" (ms). */
const AT_ONCE_MS_MAX = 300

const history = new History()
const processFailures: string[] = []
const watching = new AbortController()
let dir: string
let testBed: ChaosTestBed
let callers: Callers
let ingresses: ManagedProcess[]
let workers: ManagedProcess[]
let watched: Promise<void>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'placeorder-restarts-'))
  const onProcessFailure = (what: string) => void processFailures.push(what)
  testBed = await openChaosTestBed(dir, { history, random: new Random(1), onProcessFailure })
  await writeFile(join(testBed.system.dir, 'policy.json'), JSON.stringify(chaosPolicy))
  const { merchants, codes } = directoryFor(10_000)
  await testBed.system.put(merchants, codes)
  await Promise.all(testBed.processes.map((one) => one.start()))
  callers = new Callers(testBed.system, history)
  ingresses = testBed.processes.filter(({ kind }) => kind === 'ingress')
  workers = testBed.processes.filter(({ kind }) => kind === 'worker')
  watched = watchCpuStarvation(history, () => testBed.processes, watching.signal)
})
afterAll(async () => {
  watching.abort()
  await watched
  await testBed.close()
  await rm(dir, { recursive: true, force: true })
})

/** An order that no limit applies to. */
function anOrder(): PlaceOrderRequest {
  const { customerId: _, ...order } = aPlaceOrder()
  return order
}

/** How long ago that was (ms), less the time in which the callers or this process could not run. */
function sinceMs(from: number, { name }: ManagedProcess): number {
  return new Pauses(history.pauses).netMs({
    ingress: name,
    sentAt: from,
    endedAt: History.now(),
  })
}

const withRedis = <T>(read: (connection: RedisConnection) => Promise<T>): Promise<T> => {
  const connection = connect(testBed.system.address, 'patient')
  return read(connection).finally(() => disconnect(connection))
}
const sumOfShards = (count: (connection: RedisConnection, shard: number) => Promise<number>) =>
  withRedis(async (connection) => (await count(connection, 0)) + (await count(connection, 1)))
const activeJobs = () =>
  sumOfShards((connection, shard) => connection.llen(`{s${shard}}:orders:active`))
const openOrders = () => sumOfShards((connection, shard) => connection.zcard(openKey(shard)))

/** Checks the whole history against the promises. */
async function expectPromisesKept(recoveredAt: number): Promise<void> {
  const stored = await readStoredState(testBed.system, JSON.stringify(chaosPolicy))
  const violations = checkHistory(history, stored, { waitMs: WAIT_MS, recoveredAt })
  expect(violations.map(({ rule, orderId, what }) => `${rule}: ${orderId} ${what}`)).toEqual([])
}

test('a rolling restart under load loses no order, breaks no answer and ends cleanly', async () => {
  const ending = new AbortController()
  const inRotation = () => ingresses.filter(({ isInRotation }) => isInRotation)
  const coming = generateLoad(
    { seed: 9, ordersPerSecond: 60, signal: ending.signal, onProgress: () => {} },
    { callers, ingresses: inRotation, random: new Random(2), history },
  )
  for (const one of testBed.processes) {
    await one.end()
    await one.start()
  }
  ending.abort()
  await coming
  const { recoveredAt } = await untilRecovered(testBed.system, ingresses, callers, new Random(3))
  await expectPromisesKept(recoveredAt)
  expect(processFailures).toEqual([])
  expect(history.calls.filter(({ ending }) => ending.kind === 'ANSWERED').length).toBeGreaterThan(
    100,
  )
}, 120_000)

test('orders in flight at a killed worker are decided by another within 10 s', async () => {
  const [victim, other] = workers as [ManagedProcess, ManagedProcess]
  other.stop()
  victim.link.slow(300) // So the orders are still in flight when it is killed.
  const orders = Array.from({ length: 20 }, anOrder)
  const placed = Promise.all(
    orders.map((order, i) => callers.place(order, ingresses[i % 2] as ManagedProcess)),
  )
  await expect.poll(activeJobs, { timeout: 20_000, interval: 10 }).toBeGreaterThan(0)
  await victim.kill()
  other.resume()
  const killedAt = History.now()
  await placed
  for (const order of orders) {
    for (;;) {
      const ending = await callers.inquire(order, ingresses[0] as ManagedProcess)
      if (ending.kind === 'ANSWERED' && ending.orderCode === 'SUCCESS') break
      expect(sinceMs(killedAt, other)).toBeLessThan(DECIDED_BY_ANOTHER_MS_MAX)
      await wait(20)
    }
  }
  console.log(`decided by another worker ${Math.round(sinceMs(killedAt, other))} ms after the kill`)
  await victim.link.heal()
  await victim.start()
}, 120_000)

test('a second signal ends an ingress at once, with an order in flight', async () => {
  const [ingress] = ingresses as [ManagedProcess]
  await Promise.all(workers.map((worker) => worker.kill()))
  const waiting = callers.place(anOrder(), ingress)
  await expect.poll(openOrders).toBe(1)
  const { how, from } = await ingress.endTwice()
  expect(how).toBe(1)
  expect(sinceMs(from, ingress)).toBeLessThan(AT_ONCE_MS_MAX)
  expect(await waiting).toMatchObject({ kind: 'BROKEN' })
  await Promise.all([ingress, ...workers].map((one) => one.start()))
}, 60_000)

test('a second signal ends a worker at once', async () => {
  const [worker] = workers as [ManagedProcess]
  worker.link.stall() // It would wait for Redis before it ends.
  const { how, from } = await worker.endTwice()
  expect(how).toBe(1)
  expect(sinceMs(from, worker)).toBeLessThan(AT_ONCE_MS_MAX)
  await worker.link.heal()
  await worker.start()
}, 60_000)

test('an ingress that was stopped answers all requests that came meanwhile', async () => {
  const [ingress] = ingresses as [ManagedProcess]
  const { acquirerId, pspId, paymentId } = anOrder()
  const url = `${ingress.origin}/aps/api/v1/payments/inquiryOrder`
  let sent = 0
  ingress.stop()
  const calls = Array.from({ length: 1_000 }, () =>
    signedCall(url, { acquirerId, pspId, paymentId }, testBed.system.caller, {
      onSend: () => {
        sent += 1
      },
    }),
  )
  await expect.poll(() => sent, { timeout: 30_000 }).toBe(calls.length)
  ingress.resume()
  const answers = await Promise.all(calls)
  expect(answers.filter(({ verified }) => !verified)).toEqual([])
  // Inquiries pass admission as orders do, and so many at once are more than may wait.
  const refused = answers.filter(({ code }) => code === 'REQUEST_TRAFFIC_EXCEED_LIMIT')
  const found = answers.filter(({ code }) => code === 'ORDER_NOT_EXIST')
  expect(found.length + refused.length).toBe(calls.length)
  expect(found.length).toBeGreaterThan(0)
}, 60_000)
