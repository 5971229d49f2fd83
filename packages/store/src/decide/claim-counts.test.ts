import { randomUUID } from 'node:crypto'
import { recentCounters } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { beforeEach, expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import {
  joinableJobKey,
  joinedKey,
  type OrderId,
  orderIdOf,
  recentKey,
  recentUsedKey,
} from '../keys.ts'
import { lookupIdsOf } from '../orders/lookup-ids.ts'
import { isCounted, type OrderGroup } from '../queue/group-worker.ts'
import { JoiningGroup, workInRounds } from '../queue/job-rounds.ts'

const { ingress, worker, connection } = await openTestStore({ own: true })
const { orders } = worker

const accept = (order: PlaceOrderRequest) =>
  ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))

/** As a worker looks them up that has taken the groups of the job. */
async function lookUp(
  asked: PlaceOrderRequest[],
  {
    counted,
    used = recentCounters,
  }: { counted?: OrderGroup['counted']; used?: typeof recentCounters | ['customerOrders1h'] } = {},
) {
  const subjects = new Map(asked.map((order) => [orderIdOf(order), lookupIdsOf(order)]))
  const group = { shard: 0, jobId, subjects, counted: counted ?? (await groups()) }
  return worker.lookup.lookUp(group, asked.map(orderIdOf), used, await worker.usage.now())
}

/** The groups that have joined the job and were counted. */
const groups = async () =>
  (await connection.lrange(joinedKey(0, jobId), 0, -1))
    .map((text) => JoiningGroup.parse(JSON.parse(text)))
    .filter(isCounted)

const wasCounted = async (order: PlaceOrderRequest): Promise<boolean> =>
  (await groups()).some(({ orderIds }) => orderIds.includes(orderIdOf(order)))

let merchantId: string
let codeValue: string
const anOrder = (customerId: string = randomUUID()) =>
  aPlaceOrder({ customerId, codeValue, merchant: { referenceMerchantId: merchantId } })

/** The job of one order, which a worker has looked up; others may join it. */
let jobId: string
beforeEach(async () => {
  ;[merchantId, codeValue] = [`M-${randomUUID().slice(0, 8)}`, randomUUID()]
  await connection.del(joinableJobKey(0))
  const own = anOrder()
  await accept(own)
  ;[jobId = ''] = await orders.jobsOf(0, [orderIdOf(own)])
  await lookUp([own])
  await join(anOrder()) // Its claim notices that there is a job to join.
  await join(anOrder()) // And this one, which counters the worker reads.
})

async function join(...taken: PlaceOrderRequest[]): Promise<void> {
  await connection.set(joinableJobKey(0), jobId)
  await Promise.all(taken.map(accept))
}

/** What Redis has written to its append-only file, or would have (changes). */
const written = async (): Promise<number> =>
  Number(/rdb_changes_since_last_save:(\d+)/.exec(await connection.info('persistence'))?.[1])

test('a worker writes nothing to look up what joined its job, and counts the same', async () => {
  const customerId = randomUUID()
  const asked = [anOrder(customerId), anOrder(customerId), anOrder()]
  await join(...asked)
  const before = await written()
  const byClaim = await lookUp(asked)
  expect(await written()).toBe(before)
  expect(byClaim).toEqual(await lookUp(asked, { counted: [] }))
  expect(await written()).toBeGreaterThan(before)
  expect(byClaim.open.map(({ facts }) => facts)).toMatchObject([
    { recent: { customerOrders10m: 1, merchantOrders24h: 3 } },
    { recent: { customerOrders10m: 1, codeOrders1h: 3 } },
    { recent: { customerOrders10m: 0 } },
  ])
})

test('orders that were counted and others are looked up together', async () => {
  const customerId = randomUUID()
  const [first, second] = [anOrder(customerId), anOrder(customerId)]
  await join(first)
  const counted = await groups()
  await connection.del(recentUsedKey(0))
  await join(second)
  const { open } = await lookUp([second, first], { counted })
  expect(open).toMatchObject([
    { record: { order: second }, facts: { recent: { customerOrders1h: 1 } } },
    { record: { order: first }, facts: { recent: { customerOrders1h: 0 } } },
  ])
})

test('an order sees those that were claimed before it, though no worker has them yet', async () => {
  const customerId = randomUUID()
  const [first, second] = [anOrder(customerId), anOrder(customerId)]
  await join(first)
  await join(second)
  const { open } = await lookUp([second])
  expect(open).toMatchObject([{ facts: { recent: { customerOrders1h: 1 } } }])
})

test('orders are counted once, by their claim and by a worker', async () => {
  const order = anOrder()
  await join(order)
  await lookUp([order], { counted: [] })
  const { customer = '' } = lookupIdsOf(order)
  expect(await connection.zcard(recentKey(0, 'customer', customer))).toBe(1)
})

test('a worker counts itself what its policy reads, if that is something else', async () => {
  const customerId = randomUUID()
  const [first, second] = [anOrder(customerId), anOrder(customerId)]
  await join(first)
  await join(second)
  const { open } = await lookUp([second], { used: ['customerOrders1h'] })
  expect(open).toMatchObject([{ facts: { recent: { customerOrders1h: 1, codeOrders1h: 0 } } }])
  expect(await connection.get(recentUsedKey(0))).toBe('["customerOrders1h"]')
})

test('a claim leaves a group with repeats to the worker', async () => {
  const [known, order] = [anOrder(), anOrder()]
  await join(known)
  await join(known, order)
  expect(await wasCounted(order)).toBe(false)
})

test('a claim that cannot count its orders leaves them to the worker', async () => {
  const order = anOrder()
  await connection.set(recentKey(0, 'customer', lookupIdsOf(order).customer ?? ''), 'garbage')
  await join(order)
  expect(await orders.jobsOf(0, [orderIdOf(order)])).toEqual([jobId])
  expect(await connection.llen(joinedKey(0, jobId))).toBe(2)
  expect(await wasCounted(order)).toBe(false)
})

test('a claim counts nothing while no worker says what its policy reads', async () => {
  await connection.del(recentUsedKey(0))
  const order = anOrder()
  await join(order)
  expect(await wasCounted(order)).toBe(false)
})

test.each([
  ['there are others by now', '["customerOrders10m"]'],
  ['a newer version wrote them', '["walletOrders10m"]'],
])('a claim does not count by the counters that it knows if %s', async (_, text) => {
  await connection.set(recentUsedKey(0), text)
  const order = anOrder()
  await join(order)
  expect(await wasCounted(order)).toBe(false)
})

test('a counted group holds no code or customer in clear, and leaves its list', async () => {
  const order = anOrder()
  await join(order)
  expect(await wasCounted(order)).toBe(true)
  const list = await connection.lrange(joinedKey(0, jobId), 0, -1)
  expect(list.join()).not.toMatch(new RegExp(`${codeValue}|${order.customerId}`))
  const taken: OrderId[] = []
  await workInRounds({
    ...{ connection, shard: 0, jobId, onUnreadable: () => {}, open: () => true },
    own: async () => {},
    joined: async (groups) => void taken.push(...groups.flatMap(({ orderIds }) => orderIds)),
  })
  expect(taken).toContain(orderIdOf(order))
  expect(await connection.exists(joinedKey(0, jobId))).toBe(0)
})
