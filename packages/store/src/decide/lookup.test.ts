import { randomUUID } from 'node:crypto'
import { CodeRecord, MerchantRecord, recentCounters } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { describe, expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { digestOf, joinableJobKey, type OrderId, orderIdOf, orderKey, recentKey } from '../keys.ts'
import { type LookupIds, lookupIdsOf } from '../orders/lookup-ids.ts'
import { Lookup } from './lookup.ts'

const { ingress, worker, connection } = await openTestStore({ own: true })
const { orders, directory, recent } = worker

/**
 * One round trip, where the job says whose orders they are; two on a Cluster, or where it does not.
 */
const ways = {
  'in one round trip': { lookup: worker.lookup, named: true },
  'in two, of a job that names nobody': { lookup: worker.lookup, named: false },
  'in two, on a Cluster': {
    lookup: new Lookup(worker.connection, { orders, directory, recent }, false),
    named: true,
  },
} as const

/** Accepts orders together, in a job that no others have joined. */
async function jobOf(...taken: PlaceOrderRequest[]): Promise<string> {
  await connection.del(joinableJobKey(0))
  const take = (order: PlaceOrderRequest) =>
    ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
  await Promise.all(taken.map(take))
  const [jobId = ''] = await orders.jobsOf(0, taken.map(orderIdOf))
  return jobId
}

describe.each(Object.entries(ways))('%s', (_, { lookup, named }) => {
  const lookUp = async (jobId: string, asked: PlaceOrderRequest[]) => {
    const subjects = new Map(
      asked.map((order): [OrderId, LookupIds] => [orderIdOf(order), lookupIdsOf(order)]),
    )
    const orderIds = asked.map(orderIdOf)
    const openAsOf = await worker.usage.time()
    return lookup.lookUp(
      { shard: 0, jobId, ...(named ? { subjects } : {}) },
      orderIds,
      recentCounters,
      openAsOf,
    )
  }

  test('an order comes with merchant, code, the code’s holder and recent orders', async () => {
    const merchantId = `M-${randomUUID().slice(0, 8)}`
    const merchant = MerchantRecord.parse({
      merchantId,
      status: 'ACTIVE',
      kybLevel: 1,
      contracts: [],
    })
    const code = CodeRecord.parse({
      codeValue: randomUUID(),
      type: 'ENTRY_CODE',
      merchantId,
      status: 'OPEN',
      expiresAt: null,
    })
    await directory.put([merchant], [code])
    const customerId = randomUUID()
    const anOrder = () =>
      aPlaceOrder({
        customerId,
        codeValue: code.codeValue,
        merchant: { referenceMerchantId: merchant.merchantId },
      })
    const [first, second] = [anOrder(), anOrder()]
    await lookUp(await jobOf(first), [first])
    const jobId = await jobOf(second)
    const { open } = await lookUp(jobId, [second])
    expect(open).toEqual([
      {
        record: {
          orderId: orderIdOf(second),
          order: second,
          clientId: 'C-1',
          claimedAt: expect.any(Number),
          jobId,
        },
        facts: expect.objectContaining({
          order: second,
          clientId: 'C-1',
          merchant,
          code,
          codeHeldBy: undefined,
          recent: expect.objectContaining({
            customerOrders10m: 1,
            codeOrders1h: 1,
            merchantOrders24h: 1,
          }),
        }),
      },
    ])
    const [{ record } = { record: undefined }] = open
    expect(record?.claimedAt).toBe((await orders.record(orderIdOf(second)))?.claimedAt)
  })

  test('concluded, unknown and other jobs’ orders are left out and not counted', async () => {
    const [open, concluded, never] = [aPlaceOrder(), aPlaceOrder(), aPlaceOrder()].map((order) => ({
      ...order,
      customerId: randomUUID(),
    })) as [PlaceOrderRequest, PlaceOrderRequest, PlaceOrderRequest]
    const jobId = await jobOf(open, concluded)
    await orders.conclude(orderIdOf(concluded), 'SUCCESS')
    const others = aPlaceOrder({ customerId: randomUUID() })
    await jobOf(others)
    const answer = await lookUp(jobId, [concluded, others, open, never])
    expect(answer.unreadable).toEqual([])
    expect(answer.open.map(({ record }) => record.order)).toEqual([open])
    const counted = await Promise.all(
      [open, concluded, others, never].map(({ customerId = '' }) =>
        connection.zcard(recentKey(0, 'customer', digestOf(customerId))),
      ),
    )
    expect(counted).toEqual([1, 0, 0, 0])
  })

  test('an unreadable record does not fail the others', async () => {
    const [good, bad] = [aPlaceOrder(), aPlaceOrder()]
    const jobId = await jobOf(good, bad)
    await connection.hset(orderKey(0, orderIdOf(bad)), 'request', 'garbage')
    const { open, unreadable } = await lookUp(jobId, [bad, good])
    expect(open.map(({ record }) => record.order)).toEqual([good])
    expect(unreadable).toEqual([{ orderId: orderIdOf(bad), error: expect.any(Error) }])
  })
})

test('an order is judged by the claimed request, though its job has ids of a repeat', async () => {
  const [order, other] = [aPlaceOrder({ customerId: randomUUID() }), aPlaceOrder()]
  const jobId = await jobOf(order, other)
  const said = { merchant: 'another', code: digestOf('another'), customer: undefined }
  const subjects = new Map([
    [orderIdOf(order), said],
    [orderIdOf(other), lookupIdsOf(other)],
  ])
  const { open } = await worker.lookup.lookUp(
    { shard: 0, jobId, subjects },
    [orderIdOf(order), orderIdOf(other)],
    recentCounters,
    await worker.usage.time(),
  )
  expect(open.map(({ record }) => record.order)).toEqual([other, order])
  expect(await connection.zcard(recentKey(0, 'customer', digestOf(order.customerId ?? '')))).toBe(1)
})

test('orders of a job with lookup ids are looked up by one script', async () => {
  const asked = Array.from({ length: 32 }, () => aPlaceOrder({ customerId: randomUUID() }))
  const jobId = await jobOf(...asked)
  const subjects = new Map(asked.map((order) => [orderIdOf(order), lookupIdsOf(order)]))
  const orderIds = asked.map(orderIdOf)
  const openAsOf = await worker.usage.time()
  const scripts = async () => {
    const stats = await connection.info('commandstats')
    const calls = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)]
    return calls.reduce((sum, [, calls]) => sum + Number(calls), 0)
  }
  const before = await scripts()
  const { open } = await worker.lookup.lookUp(
    { shard: 0, jobId, subjects },
    orderIds,
    recentCounters,
    openAsOf,
  )
  expect(open).toHaveLength(32)
  // A second time with its text, where it was not known.
  expect((await scripts()) - before).toBeLessThanOrEqual(2)
})
