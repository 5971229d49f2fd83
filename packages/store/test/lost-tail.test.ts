import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LimitUse } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { findRedisServer, startLocalRedis } from '../../local-services/src/redis.ts'
import { Conclusion, NotReplicated } from '../src/decide/conclusion.ts'
import type { JudgedOrder } from '../src/decide/limit-usage.ts'
import { codeHolderKey, digestOf, openKey, orderIdOf, orderKey } from '../src/keys.ts'
import { openIngressStore } from '../src/open-ingress-store.ts'
import { openWorkerStore } from '../src/open-store.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-'))
const server = await findRedisServer()
const start = (name: string, ...args: string[]) =>
  startLocalRedis(server, { dir: join(dir, name), args })
const master = await start('master', '--repl-diskless-sync-delay', '0')
const replica = await start('replica', '--replicaof', '127.0.0.1', String(master.port))
const address = { urls: [master.url], cluster: false, sentinels: [], sentinelName: '' }
const options = { address, shards: 1, onFault: () => {} }
const ingress = await openIngressStore({ ...options, waitMs: 100 })
const worker = await openWorkerStore({ ...options, replicasMin: 1 })
const { connection, usage, orders, durability } = worker
await vi.waitFor(async () => expect(await connection.info('replication')).toMatch(/state=online/), {
  timeout: 30_000,
})
afterAll(async () => {
  await ingress.close()
  await worker.close()
  await Promise.all([master.stop(), replica.stop()])
  await rm(dir, { recursive: true })
})

/** One step where one node holds all keys; two on a Cluster. */
const ways = {
  'in one step': worker.conclusion,
  'in two steps': new Conclusion(connection, { usage, orders, durability }, false),
}

type Claimed = { order: PlaceOrderRequest; claimedAt: number }

/** Claims an order. */
async function claimed(
  order = aPlaceOrder(),
): Promise<{ order: PlaceOrderRequest; jobId: string; claimedAt: number }> {
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
  const [jobId = ''] = await orders.jobsOf(0, [orderIdOf(order)])
  await vi.waitFor(
    async () => expect(await durability.replicated(orderIdOf(order))).toBe(true),
    { timeout: 10_000 }, // A replica on a busy disk takes longer than one fence waits.
  )
  return { order, jobId, claimedAt: (await orders.claimedAt(orderIdOf(order))) ?? 0 }
}

/** A judged order that uses a limit of its own and an order code. */
function judgedOf({ order, claimedAt }: Claimed): JudgedOrder {
  const taking: LimitUse = {
    subject: 'merchant',
    id: order.paymentId,
    day: '20260101',
    currency: 'CNY',
    amount: 7n,
    amountMax: 100n,
    countMax: undefined,
  }
  const orderId = orderIdOf(order)
  return { orderId, claimedAt, judged: 'SUCCESS', limitUses: [taking], orderCode: order.paymentId }
}

async function reservedFor({ limitUses, orderCode = '' }: JudgedOrder) {
  const [used] = await usage.usedOf(limitUses)
  return { amount: used?.amount, holder: await connection.get(codeHolderKey(digestOf(orderCode))) }
}
const nothing = { amount: 0n, holder: null }

const lose = async (order: PlaceOrderRequest) => {
  await connection.del(orderKey(0, orderIdOf(order)))
  await connection.zrem(openKey(0), orderIdOf(order))
}

describe.each(Object.entries(ways))('%s', (_, conclusion) => {
  const conclude = async (jobId: string, ...judged: JudgedOrder[]) =>
    conclusion.conclude({ shard: 0, jobId }, judged, await usage.time())

  test('an open order is decided, and reserves once however often it is', async () => {
    const { jobId, ...claim } = await claimed()
    const { order } = claim
    const judged = judgedOf(claim)
    await vi.waitFor(async () => expect(await conclude(jobId, judged)).toEqual(['SUCCESS']), {
      timeout: 10_000,
    })
    const again = await conclude(jobId, judged)
    expect([['SUCCESS'], [undefined]]).toContainEqual(again)
    expect(await orders.outcomeOf(orderIdOf(order))).toBe('SUCCESS')
    expect(await reservedFor(judged)).toEqual({ amount: 7n, holder: orderIdOf(order) })
  })

  // As after a failover that lost the last writes: the worker has read the order on the lost
  // master.
  test.each([
    ['is gone', lose],
    [
      'is gone, and its repeat a new order',
      async (order: PlaceOrderRequest) => {
        await lose(order)
        await claimed(order)
      },
    ],
    [
      'is gone, and its repeat in the same job',
      async (order: PlaceOrderRequest) => {
        const [jobId = ''] = await orders.jobsOf(0, [orderIdOf(order)])
        await lose(order)
        await claimed(order)
        await connection.hset(orderKey(0, orderIdOf(order)), 'job', jobId)
      },
    ],
    [
      'names another job',
      async (order: PlaceOrderRequest) => {
        await connection.hset(orderKey(0, orderIdOf(order)), 'job', 'm-another')
      },
    ],
  ])('nothing is reserved for an order whose record %s', async (_, change) => {
    const [one, other] = [await claimed(), await claimed()]
    const { order, jobId } = one
    await connection.hset(orderKey(0, orderIdOf(other.order)), 'job', jobId)
    await change(order)
    const [judged, neighbour] = [judgedOf(one), judgedOf(other)]
    await vi.waitFor(
      async () => expect(await conclude(jobId, judged, neighbour)).toEqual([undefined, 'SUCCESS']),
      { timeout: 10_000 },
    )
    expect(await reservedFor(judged)).toEqual(nothing)
    expect(await orders.outcomeOf(orderIdOf(order))).toBeUndefined()
    expect(await reservedFor(neighbour)).toMatchObject({ amount: 7n })
  })

  test('orders of two minutes are decided together', async () => {
    const [one, two] = [await claimed(), await claimed()]
    await connection.hset(orderKey(0, orderIdOf(two.order)), 'job', one.jobId)
    const claimedAt = two.claimedAt - 60_000
    await connection.hset(orderKey(0, orderIdOf(two.order)), { claimedAt })
    const earlier = judgedOf({ ...two, claimedAt })
    await vi.waitFor(async () =>
      expect(await conclude(one.jobId, judgedOf(one), earlier)).toEqual(['SUCCESS', 'SUCCESS']),
    )
    expect(await reservedFor(earlier)).toMatchObject({ amount: 7n })
  })
})

test('in two steps nothing is reserved until a replica has the order', async () => {
  const { jobId, ...claim } = await claimed()
  const judged = judgedOf(claim)
  const conclude = async () =>
    ways['in two steps'].conclude({ shard: 0, jobId }, [judged], await usage.time())
  replica.process.kill('SIGSTOP')
  try {
    await expect(conclude()).rejects.toThrow(NotReplicated)
    expect(await reservedFor(judged)).toEqual(nothing)
  } finally {
    replica.process.kill('SIGCONT')
  }
  await vi.waitFor(async () => expect(await conclude()).toEqual(['SUCCESS']), { timeout: 10_000 })
})

test('in two steps no order is concluded whose decision no replica has', async () => {
  const { jobId, ...claim } = await claimed()
  const noReplica = { openIn: async () => true, decisionsReplicated: async () => false }
  const conclusion = new Conclusion(connection, { usage, orders, durability: noReplica }, false)
  await expect(
    conclusion.conclude({ shard: 0, jobId }, [judgedOf(claim)], await usage.time()),
  ).rejects.toThrow(NotReplicated)
  expect(await orders.outcomeOf(orderIdOf(claim.order))).toBeUndefined()
})

test('where no replicas are required, none are asked', async () => {
  const plain = await openWorkerStore(options)
  const id = orderIdOf(aPlaceOrder())
  expect(await plain.durability.openIn(id, { jobId: 'g-1', claimedAt: 1 })).toBe(true)
  expect(await plain.durability.absent(id)).toBe(true)
  expect(await plain.durability.decisionsReplicated()).toBe(true)
  await plain.close()
})
