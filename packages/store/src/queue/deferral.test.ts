import { randomUUID } from 'node:crypto'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { beforeEach, describe, expect, test } from 'vitest'
import { openTestStore, runningTwice } from '../../test/test-store.ts'
import { deferredKey, deferredListsKey, orderIdOf, orderKey, resumingKey } from '../keys.ts'
import type { ResumeOptions } from './deferral.ts'
import { Deferral, type DeferredList } from './deferral.ts'

const { worker, ingress, accept, connection } = await openTestStore({ own: true })
const { deferral, orders, queues, requeue } = worker
const WITHIN_MS = 600_000
const queue = queues.queue(0)
const jobOf = async (order: PlaceOrderRequest) => (await orders.jobsOf(0, [orderIdOf(order)]))[0]
const now = async () => (await worker.usage.now()).now

beforeEach(async () => {
  await queue.drain(true)
  const lists = await connection.keys('{s0}:deferred*')
  if (lists.length > 0) await connection.del(...lists)
})

async function taken(count: number): Promise<PlaceOrderRequest[]> {
  const taking = Array.from({ length: count }, async () => {
    const order = aPlaceOrder()
    await accept(order)
    return order
  })
  const all = await Promise.all(taking)
  await queue.drain()
  return all
}

async function defer(list: DeferredList, all: PlaceOrderRequest[]): Promise<string[]> {
  const inJobs = all.map(async (order) => ({
    orderId: orderIdOf(order),
    jobId: await jobOf(order),
  }))
  return deferral.defer(0, list, await Promise.all(inJobs), WITHIN_MS)
}

/** One round, as if no other worker had just made one; the orders of each job that it enqueued. */
async function resume(changes: Partial<ResumeOptions> = {}, by = deferral): Promise<string[][]> {
  await connection.del(resumingKey(0))
  await queue.drain(true)
  await by.resume(0, { decideWithinMs: WITHIN_MS, isOpen: () => true, ...changes })
  return (await queue.getWaiting()).map((job) => job.data.orderIds)
}

const allDue = async (list: DeferredList) => {
  const members = await connection.zrange(deferredKey(0, list), '0', '-1')
  for (const member of members) await connection.zadd(deferredKey(0, list), 1, member)
}

test('a deferred order has no job, and those who wait learn that it is undecided', async () => {
  const order = aPlaceOrder()
  await ingress.orders.during(orderIdOf(order), AbortSignal.timeout(5_000), async (announced) => {
    await accept(order)
    expect(await defer('later', [order])).toEqual([orderIdOf(order)])
    expect(await announced).toBe('UNKNOWN_EXCEPTION')
  })
  expect(await jobOf(order)).toBe('deferred:later')
  expect(await queue.getDelayedCount()).toBe(0)
})

test('an order that is concluded, or another job’s, is not deferred', async () => {
  const [concluded, other] = await Promise.all([taken(1), taken(1)]).then((two) => two.flat())
  if (concluded === undefined || other === undefined) throw new Error('there are two')
  await orders.conclude(orderIdOf(concluded), 'SUCCESS')
  const asked = [concluded, other].map((order) => ({
    orderId: orderIdOf(order),
    jobId: 'g-another',
  }))
  expect(await deferral.defer(0, 'later', asked, WITHIN_MS)).toEqual([])
  expect(await resume()).toEqual([])
  expect(await jobOf(other)).toMatch(/^g-/)
})

describe('an order is due', () => {
  test.each<[string, DeferredList, age: number, pause: number]>([
    ['soon when it is young', 'later', 0, 500],
    ['when it is twice as old', 'later', 4_000, 4_000],
    ['after half a minute at most', 'later', 300_000, 30_000],
    ['when it has had all its time', 'later', 590_000, 10_000],
    ['later and later when processes die of it', 'isolated', 120_000, 120_000],
    ['at its last time while a circuit is open', 'check:own', 4_000, 596_000],
    ['no later though the clock was set back', 'later', -3_600_000, 500],
  ])('%s: %s, %i ms old, in %i ms', async (_when, list, age, pause) => {
    const [order] = await taken(1)
    if (order === undefined) throw new Error('there is one')
    const at = await now()
    await connection.hset(orderKey(0, orderIdOf(order)), 'claimedAt', at - age)
    await defer(list, [order])
    const dueAt = await deferral.dueAt(0, list, orderIdOf(order))
    expect((dueAt ?? 0) - at).toBeGreaterThanOrEqual(pause)
    expect((dueAt ?? 0) - at).toBeLessThan(pause + 450)
  })
})

test('orders that are due share jobs of a bounded size; the others stay', async () => {
  const [due, early] = [await taken(300), await taken(3)]
  await defer('later', due)
  await allDue('later')
  await defer('later', early)
  const jobs = await resume()
  expect(jobs.map((job) => job.length).toSorted()).toEqual([128, 128, 44])
  expect(jobs.flat().toSorted()).toEqual(due.map(orderIdOf).toSorted())
  for (const order of early) expect(await jobOf(order)).toBe('deferred:later')
})

test('each order that crashed a process is resumed in an isolated job of its own', async () => {
  await defer('isolated', await taken(3))
  await allDue('isolated')
  expect((await resume()).map((job) => job.length)).toEqual([1, 1, 1])
  expect((await queue.getWaiting()).map((job) => job.data.isolated)).toEqual([true, true, true])
})

test('while a circuit is open, one order is tried; then all, so many at a time', async () => {
  await defer('check:own', await taken(700))
  const isOpen = (circuit: string) => circuit === 'own'
  const tried = (await resume({ isOpen })).flat()
  expect(tried).toHaveLength(1)
  const rounds = []
  for (const round of ['first', 'second', 'third']) {
    const resumed = (await resume({ isOpen: () => false })).flat()
    rounds.push(resumed.length)
    expect(new Set(resumed).size, round).toBe(resumed.length)
  }
  expect(rounds).toEqual([512, 187, 0])
  expect(await connection.exists(deferredListsKey(0))).toBe(0)
})

test('orders of an open circuit are resumed when they have had all their time', async () => {
  await defer('check:own', await taken(10))
  await allDue('check:own')
  expect((await resume()).flat()).toHaveLength(10)
})

test('an open circuit costs the same, however many orders wait for it', async () => {
  const commands = async () =>
    Number(/total_commands_processed:(\d+)/.exec(await connection.info('stats'))?.[1])
  const costs: number[] = []
  for (const more of [10, 500]) {
    await defer('check:own', await taken(more))
    await resume()
    const before = await commands()
    await resume()
    costs.push((await commands()) - before)
  }
  expect(costs[1]).toBeLessThanOrEqual((costs[0] ?? 0) + 5)
})

test.each([
  ['later', 'a minute'],
  ['isolated', 'three minutes'],
] as const)(
  'an order on %s deferred by a clock %s ahead is due once it is right',
  async (list, ahead) => {
    const [order] = await taken(1)
    if (order === undefined) throw new Error('there is one')
    await defer(list, [order])
    // However far ahead the clock was, the order was to be judged again within its time.
    const due = (await now()) + (ahead === 'a minute' ? 60_000 : 180_000)
    await connection.zadd(deferredKey(0, list), due, orderIdOf(order))
    expect(await resume()).toEqual([[orderIdOf(order)]])
  },
)

test('many workers resume an order once', async () => {
  await defer('later', await taken(5))
  await allDue('later')
  await connection.del(resumingKey(0))
  const rounds = Array.from({ length: 10 }, () =>
    deferral.resume(0, { decideWithinMs: WITHIN_MS, isOpen: () => true }),
  )
  await Promise.all(rounds)
  expect((await queue.getWaiting()).map((job) => job.data.orderIds.length)).toEqual([5])
})

test('scripts that run twice defer and resume an order once', async () => {
  const twice = new Deferral(runningTwice(connection), queues)
  const [order] = await taken(1)
  if (order === undefined) throw new Error('there is one')
  const asked = [{ orderId: orderIdOf(order), jobId: await jobOf(order) }]
  expect(await twice.defer(0, 'later', asked, WITHIN_MS)).toEqual([orderIdOf(order)])
  await allDue('later')
  expect(await resume({}, twice)).toEqual([[orderIdOf(order)]])
})

test('an order takes its trace along', async () => {
  const [order] = await taken(1)
  if (order === undefined) throw new Error('there is one')
  const orderId = orderIdOf(order)
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await deferral.defer(0, 'later', [{ orderId, jobId: await jobOf(order), trace }], WITHIN_MS)
  await allDue('later')
  await resume()
  expect((await queue.getWaiting())[0]?.data.traces).toEqual({ [orderId]: trace })
  expect(await connection.hexists(orderKey(0, orderId), 'trace')).toBe(0)
})

test('while jobs wait for a worker, only as many orders are resumed as one job takes', async () => {
  await defer('later', await taken(130))
  await allDue('later')
  for (let job = 0; job < 16; job += 1)
    await queues.enqueue(0, `g-${randomUUID()}`, { orderIds: [orderIdOf(aPlaceOrder())] })
  await connection.del(resumingKey(0))
  await deferral.resume(0, { decideWithinMs: WITHIN_MS, isOpen: () => true })
  expect(await queue.getWaitingCount()).toBe(17)
  expect(await connection.zcard(deferredKey(0, 'later'))).toBe(2)
})

test('a deferred order is requeued only if it is not on the list in its record', async () => {
  const [there, gone] = await taken(2)
  if (there === undefined || gone === undefined) throw new Error('there are two')
  await defer('later', [there, gone])
  await connection.zrem(deferredKey(0, 'later'), orderIdOf(gone))
  expect(await requeue.requeueOpen(0, [orderIdOf(there), orderIdOf(gone)])).toEqual([
    orderIdOf(gone),
  ])
})
