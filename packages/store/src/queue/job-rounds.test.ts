import type { PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { openTestStore, runningTwice } from '../../test/test-store.ts'
import { jobKey, joinableJobKey, joinedKey, type OrderId, openKey, orderIdOf } from '../keys.ts'
import { openIngressStore } from '../open-ingress-store.ts'
import { FirstJoined } from './first-joined.ts'
import { GroupWorker } from './group-worker.ts'
import { type JoiningGroup, workInRounds } from './job-rounds.ts'

const { address, ingress, worker, accept, connection } = await openTestStore({ own: true })
const jobOf = async (order: PlaceOrderRequest) =>
  (await worker.orders.record(orderIdOf(order)))?.jobId ?? ''
const jobExists = async (jobId: string) => (await worker.queues.job(0, jobId)) !== undefined
const idsOf = (groups: JoiningGroup[]) => groups.flatMap(({ orderIds }) => orderIds)

/** Long enough (ms) for any round, on a busy machine too. */
const ROUND_MS = 20_000

/** Runs a job; `during` is its own round, `joined` gets the orders that have joined it. */
const work = (
  jobId: string,
  during: () => Promise<void>,
  joined: (orderIds: OrderId[]) => Promise<void> = async () => {},
  open = () => true,
  roundMs = ROUND_MS,
  firstJoined?: FirstJoined,
) =>
  workInRounds({
    roundMs,
    firstJoined,
    connection,
    shard: 0,
    jobId,
    own: during,
    joined: (groups) => joined(idsOf(groups)),
    onUnreadable: () => {},
    open,
  })

/** Accepts orders, each after the one before was announced, so that each is a group of its own. */
async function acceptApart(...orders: PlaceOrderRequest[]): Promise<void> {
  for (const order of orders) {
    await accept(order)
    const job = await jobOf(order)
    const same = { orderId: orderIdOf(order), from: job, to: job }
    await worker.orders.reassign(0, [same], 'UNKNOWN_EXCEPTION')
  }
}

/** A job with an order of its own that others can join now, as the ingress knows. */
async function aJob(): Promise<{ jobId: string; own: PlaceOrderRequest }> {
  await connection.del(joinableJobKey(0))
  const [own, next] = [aPlaceOrder(), aPlaceOrder()]
  await acceptApart(own)
  const jobId = await jobOf(own)
  await connection.set(joinableJobKey(0), jobId)
  await acceptApart(next) // It gets a job of its own; its reply says that there is a joinable one.
  return { jobId, own }
}

test('orders that come while a job runs join it as its next rounds, until it ends', async () => {
  const { jobId } = await aJob()
  const [one, two, three] = [aPlaceOrder(), aPlaceOrder(), aPlaceOrder()]
  const rounds: string[][] = []
  await work(
    jobId,
    () => acceptApart(one, two),
    async (orderIds) => {
      rounds.push(orderIds)
      if (rounds.length === 1) await acceptApart(three)
    },
  )
  expect(rounds).toEqual([[orderIdOf(one), orderIdOf(two)], [orderIdOf(three)]])
  expect(await Promise.all([one, two, three].map(jobOf))).toEqual([jobId, jobId, jobId])
  expect(await connection.exists(joinableJobKey(0), joinedKey(0, jobId))).toBe(0)
  const later = aPlaceOrder()
  await accept(later)
  expect(await jobOf(later)).not.toBe(jobId)
  expect(await jobExists(await jobOf(later))).toBe(true)
})

/** A wait for groups that is closed after the test. */
async function openFirstJoined(): Promise<FirstJoined> {
  const firstJoined = new FirstJoined(address, 0, () => {})
  onTestFinished(() => firstJoined.close())
  await expect.poll(() => firstJoined.isFree).toBe(true)
  return firstJoined
}

test('a job waits for the next group, which then needs no job of its own', async () => {
  const { jobId } = await aJob()
  const order = aPlaceOrder()
  const rounds: string[][] = []
  const firstJoined = await openFirstJoined()
  const working = work(
    jobId,
    async () => {},
    async (orderIds) => void rounds.push(orderIds),
    () => true,
    ROUND_MS,
    firstJoined,
  )
  await expect.poll(() => firstJoined.isFree).toBe(false)
  await acceptApart(order)
  await working
  expect(rounds).toEqual([[orderIdOf(order)]])
  expect(await connection.exists(joinableJobKey(0), joinedKey(0, jobId))).toBe(0)
})

test('a job that has waited in vain cannot be joined any more', async () => {
  const { jobId } = await aJob()
  const firstJoined = {
    isFree: true,
    of: async () => {
      expect(await connection.get(joinableJobKey(0))).toBe(jobId)
      return undefined
    },
  }
  await workInRounds({
    connection,
    shard: 0,
    jobId,
    own: async () => {},
    joined: async () => {},
    onUnreadable: () => {},
    open: () => true,
    firstJoined,
  })
  expect(await connection.exists(joinableJobKey(0))).toBe(0)
})

test('a joined group does not wait for a slow round', async () => {
  const { jobId } = await aJob()
  const order = aPlaceOrder()
  const slow = Promise.withResolvers<void>()
  const worked = Promise.withResolvers<string[]>()
  const working = work(
    jobId,
    async () => {
      await acceptApart(order)
      await slow.promise
    },
    async (orderIds) => worked.resolve(orderIds),
    () => true,
    50,
  )
  expect(await worked.promise).toEqual([orderIdOf(order)])
  slow.resolve()
  await working
  expect(await connection.exists(joinedKey(0, jobId))).toBe(0)
})

test('a failure of the job’s own group does not fail the joined groups', async () => {
  const { jobId } = await aJob()
  const order = aPlaceOrder()
  const rounds: string[][] = []
  const working = work(
    jobId,
    async () => {
      await acceptApart(order)
      throw new Error('its own')
    },
    async (orderIds) => void rounds.push(orderIds),
  )
  await expect(working).rejects.toThrow('its own')
  expect(rounds).toEqual([[orderIdOf(order)]])
  expect(await connection.exists(joinedKey(0, jobId))).toBe(0)
})

test('a job that runs again has the joined groups that were not processed', async () => {
  const { jobId } = await aJob()
  const [done, left] = [aPlaceOrder(), aPlaceOrder()]
  const rounds: string[][] = []
  const joined = async (orderIds: OrderId[]) => {
    rounds.push(orderIds)
    if (rounds.length === 1) await acceptApart(left)
    if (rounds.length === 2) throw new Error('down')
  }
  await expect(work(jobId, () => acceptApart(done), joined)).rejects.toThrow('down')
  await work(jobId, async () => {}, joined)
  expect(rounds).toEqual([[orderIdOf(done)], [orderIdOf(left)], [orderIdOf(left)]])
})

test('a group that another worker has removed is not removed again', async () => {
  const { jobId } = await aJob()
  const [one, two] = [aPlaceOrder(), aPlaceOrder()]
  const rounds: string[][] = []
  await work(
    jobId,
    () => acceptApart(one),
    async (orderIds) => {
      rounds.push(orderIds)
      if (rounds.length > 1) return
      await acceptApart(two)
      await connection.ltrim(joinedKey(0, jobId), 1, -1)
    },
  )
  expect(rounds).toEqual([[orderIdOf(one)], [orderIdOf(two)]])
})

test('a processed group is removed once, though the drain runs twice', async () => {
  const { jobId } = await aJob()
  const [done, next] = [aPlaceOrder(), aPlaceOrder()]
  const rounds: string[][] = []
  await workInRounds({
    roundMs: ROUND_MS,
    connection: runningTwice(connection),
    shard: 0,
    jobId,
    own: () => acceptApart(done),
    joined: async (groups) => {
      rounds.push(idsOf(groups))
      if (rounds.length === 1) await acceptApart(next)
    },
    onUnreadable: () => {},
    open: () => true,
  })
  expect(rounds).toEqual([[orderIdOf(done)], [orderIdOf(next)]])
})

test('a job that is to end is not joined any more', async () => {
  const { jobId } = await aJob()
  const [one, two] = [aPlaceOrder(), aPlaceOrder()]
  const rounds: string[][] = []
  await work(
    jobId,
    () => acceptApart(one),
    async (orderIds) => {
      rounds.push(orderIds)
      await acceptApart(two)
    },
    () => false,
  )
  expect(rounds).toEqual([[orderIdOf(one)]])
  expect(await jobExists(await jobOf(two))).toBe(true)
})

test('an order that joined a job that was never enqueued is requeued', async () => {
  await aJob()
  await connection.set(joinableJobKey(0), 'g-dead', 'PX', 50)
  const order = aPlaceOrder()
  await accept(order)
  expect(await jobOf(order)).toBe('g-dead')
  expect(await connection.zscore(openKey(0), orderIdOf(order))).not.toBeNull()
  expect(await worker.requeue.requeueOpen(0, [orderIdOf(order)])).toEqual([orderIdOf(order)])
  expect(await jobExists(await jobOf(order))).toBe(true)
  await expect.poll(() => connection.get(joinableJobKey(0))).not.toBe('g-dead')
})

test('a repeat that joins its order’s job is left to the round that has the order', async () => {
  const { jobId, own } = await aJob()
  const order = aPlaceOrder()
  await Promise.all([accept({ ...own, codeValue: 'another' }), accept(order)])
  expect(await jobOf(order)).toBe(jobId)
  const joinedOrders = Promise.withResolvers<string[]>()
  const taker = new GroupWorker(
    address,
    async (group) => {
      if (group.jobId !== jobId) return
      if (group.joined) joinedOrders.resolve(group.orderIds)
      else await joinedOrders.promise // A slow round, which the joined ones do not wait for.
    },
    { shards: 1, concurrency: 8, onError: () => {} },
  )
  expect(await joinedOrders.promise).toEqual([orderIdOf(order)])
  await taker.close(1_000)
})

test('orders of many ingresses share jobs, and each is processed', async () => {
  const options = { address, shards: 1, onFault: () => {}, waitMs: 5_000 }
  const stores = await Promise.all(Array.from({ length: 8 }, () => openIngressStore(options)))
  afterAll(() => Promise.all(stores.map((store) => store.close())))
  const jobs = new Set<string>()
  const taker = new GroupWorker(
    address,
    async ({ shard, jobId, orderIds }) => {
      jobs.add(jobId)
      await worker.orders.concludeAll(
        shard,
        orderIds.map((orderId) => ({ orderId, outcome: 'SUCCESS' as const })),
      )
    },
    { shards: 1, concurrency: 8, onError: () => {} },
  )
  const signal = AbortSignal.timeout(20_000)
  const placeSome = async ({ intake, orders }: typeof ingress) => {
    for (let n = 0; n < 25; n += 1) {
      const order = aPlaceOrder()
      const outcome = orders.during(orderIdOf(order), signal, async (announced) => {
        await intake.accept({ order, clientId: 'C-1' }, signal)
        return announced
      })
      expect(await outcome).toBe('SUCCESS')
    }
  }
  await Promise.all(stores.flatMap((store) => Array.from({ length: 4 }, () => placeSome(store))))
  expect(jobs.size).toBeLessThan(100) // Of 800 orders, in groups of four at most.
  await taker.close(1_000)
})

test('neither a job nor a joined group holds a code or a customer in clear', async () => {
  const { jobId } = await aJob()
  const marked = (paymentId: string) =>
    aPlaceOrder({ paymentId, codeValue: 'M4RKED-code', customerId: 'M4RKED-customer' })
  const [joins, alone] = [marked(crypto.randomUUID()), marked(crypto.randomUUID())]
  await acceptApart(joins)
  expect(await connection.llen(joinedKey(0, jobId))).toBe(1)
  await connection.del(joinableJobKey(0))
  await acceptApart(alone)
  const ofJob = await connection.hgetall(jobKey(0, await jobOf(alone)))
  const joined = await connection.lrange(joinedKey(0, jobId), 0, -1)
  const texts = JSON.stringify([ofJob, joined])
  for (const order of [joins, alone]) expect(texts).toContain(order.paymentId)
  expect(texts).not.toContain('M4RKED')
})
