import { randomUUID } from 'node:crypto'
import { type CodeRecord, MerchantRecord, recentCounters } from '@placeorder/decision'
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
import { isLookedUp, type OrderGroup } from '../queue/group-worker.ts'
import { JoiningGroup, workInRounds } from '../queue/job-rounds.ts'
import { Lookup } from './lookup.ts'

const { ingress, worker, connection } = await openTestStore({ own: true })
const { orders, directory, recent } = worker
const used = recentCounters

type Groups = NonNullable<OrderGroup['lookedUp']>

const accept = (order: PlaceOrderRequest) =>
  ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))

/**
 * As a worker looks them up that has taken the groups of the job, so long after their claim (ms).
 */
async function lookUp(
  asked: PlaceOrderRequest[],
  how: { lookedUp?: Groups; lookup?: Lookup; afterMs?: number } = {},
) {
  const { lookedUp = await joined(), lookup = worker.lookup, afterMs = 0 } = how
  const subjects = new Map(asked.map((order) => [orderIdOf(order), lookupIdsOf(order)]))
  const group = { shard: 0, jobId, subjects, lookedUp }
  const openAsOf = await worker.usage.now()
  const claimedAt = lookedUp.at(-1)?.lookedUp.claimedAt ?? openAsOf.now
  const asOf = { ...openAsOf, now: claimedAt + afterMs }
  return lookup.lookUp(group, asked.map(orderIdOf), used, asOf)
}

/** The groups that have joined the job and were looked up. */
const joined = async (): Promise<Groups> =>
  (await connection.lrange(joinedKey(0, jobId), 0, -1))
    .map((text) => JoiningGroup.parse(JSON.parse(text)))
    .filter(isLookedUp)

let merchantId: string
let codeValue: string
const anOrder = (customerId: string = randomUUID()) =>
  aPlaceOrder({ customerId, codeValue, merchant: { referenceMerchantId: merchantId } })
const putCode = (code: Partial<CodeRecord> = {}) => {
  const entry = { type: 'ENTRY_CODE', status: 'OPEN', expiresAt: null } as const
  return directory.put([], [{ codeValue, merchantId, ...entry, ...code } as CodeRecord])
}
const putMerchant = (stores: string[] = []) =>
  directory.put(
    [MerchantRecord.parse({ merchantId, status: 'ACTIVE', kybLevel: 1, contracts: [], stores })],
    [],
  )

/** The job of one order, which a worker has looked up; others may join it. */
let jobId: string
beforeEach(async () => {
  ;[merchantId, codeValue] = [`M-${randomUUID().slice(0, 8)}`, randomUUID()]
  await putMerchant()
  await putCode()
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

test('a worker need not look up what joined its job, and judges it by the same facts', async () => {
  const customerId = randomUUID()
  const asked = [anOrder(customerId), anOrder(customerId), anOrder()]
  await join(...asked)
  const { asked: isRedisAsked, ...ahead } = await lookUp(asked)
  expect(isRedisAsked).toBe(false)
  const { asked: _, ...byWorker } = await lookUp(asked, { lookedUp: [] })
  expect(ahead).toEqual(byWorker)
  const facts = ahead.open.map(({ facts }) => facts)
  expect(facts).toMatchObject([
    { recent: { customerOrders10m: 1, merchantOrders24h: 3 }, merchant: { merchantId } },
    { recent: { customerOrders10m: 1, codeOrders1h: 3 }, code: { codeValue } },
    { recent: { customerOrders10m: 0 }, clientId: 'C-1' },
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
  await lookUp([order], { lookedUp: [] })
  const { customer = '' } = lookupIdsOf(order)
  expect(await connection.zcard(recentKey(0, 'customer', customer))).toBe(1)
})

test.each<[string, Partial<Groups[number]['lookedUp']>, number]>([
  ['its policy reads other counters', { used: '["customerOrders10m"]' }, 0],
  ['they were claimed more than a second ago', {}, 1_001],
  ['they were claimed in the future', {}, -1_001],
  ['a request is damaged', { requests: ['garbage'] }, 0],
  ['a record is damaged', { records: ['garbage', 'garbage'] }, 0],
])('a worker looks up orders itself if %s', async (_, change, afterMs) => {
  const order = anOrder()
  await join(order)
  const lookedUp = (await joined()).map((group) => ({
    ...group,
    lookedUp: { ...group.lookedUp, ...change },
  }))
  const { open, asked } = await lookUp([order], { lookedUp, afterMs })
  expect(asked).toBe(true)
  expect(open).toMatchObject([{ record: { order }, facts: { merchant: { merchantId } } }])
})

test('a worker looks up itself who holds a code for one order', async () => {
  await putCode({ type: 'ORDER_CODE', amount: { currency: 'CNY', value: '100' } } as CodeRecord)
  const order = anOrder()
  await join(order)
  const { asked } = await lookUp([order])
  expect(asked).toBe(true)
})

test('a worker on a Cluster looks up orders itself', async () => {
  const order = anOrder()
  await join(order)
  const lookup = new Lookup(worker.connection, { orders, directory, recent }, false)
  expect((await lookUp([order], { lookup })).asked).toBe(true)
})

const wasLookedUp = async (order: PlaceOrderRequest): Promise<boolean> =>
  (await joined()).some(({ orderIds }) => orderIds.includes(orderIdOf(order)))

test('a claim leaves long records to the worker', async () => {
  await putMerchant(Array.from({ length: 2_000 }, (_, i) => `store ${i}`))
  const order = anOrder()
  await join(order)
  expect(await wasLookedUp(order)).toBe(false)
})

test('a claim that cannot count its orders leaves them to the worker', async () => {
  const order = anOrder()
  await connection.set(recentKey(0, 'customer', lookupIdsOf(order).customer ?? ''), 'garbage')
  await join(order)
  expect(await orders.jobsOf(0, [orderIdOf(order)])).toEqual([jobId])
  expect(await connection.llen(joinedKey(0, jobId))).toBe(2)
  expect(await wasLookedUp(order)).toBe(false)
})

test('a claim leaves a group with repeats to the worker', async () => {
  const [known, order] = [anOrder(), anOrder()]
  await join(known)
  await join(known, order)
  expect(await wasLookedUp(order)).toBe(false)
})

test('a claim looks up nothing while no worker says what its policy reads', async () => {
  await connection.del(recentUsedKey(0))
  const order = anOrder()
  await join(order)
  expect(await wasLookedUp(order)).toBe(false)
})

test.each([
  ['there are others by now', '["customerOrders10m"]'],
  ['a newer version wrote them', '["walletOrders10m"]'],
])('a claim looks up nothing for the counters it knows if %s', async (_, text) => {
  await connection.set(recentUsedKey(0), text)
  const order = anOrder()
  await join(order)
  expect(await wasLookedUp(order)).toBe(false)
})

test('a group that was looked up leaves the list as it is done with', async () => {
  const order = anOrder()
  await join(order)
  const groups = await connection.lrange(joinedKey(0, jobId), 0, -1)

  const taken: OrderId[] = []
  await workInRounds({
    ...{ connection, shard: 0, jobId, onUnreadable: () => {}, open: () => true },
    own: async () => {},
    joined: async (groups) => void taken.push(...groups.flatMap(({ orderIds }) => orderIds)),
  })
  expect(groups.length).toBe(taken.length)
  expect(await connection.exists(joinedKey(0, jobId))).toBe(0)
})
