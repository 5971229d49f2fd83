import { randomUUID } from 'node:crypto'
import type { LimitUse } from '@placeorder/decision'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { orderIdOf } from '../keys.ts'
import { Conclusion } from './conclusion.ts'

const { worker, accept, connection } = await openTestStore({ own: true })
const { usage, orders, durability } = worker
afterEach(() => void vi.useRealTimers())

test.each([
  ['one node keeps all', true],
  ['two nodes share them', false],
])('where %s, an order decided again minutes later takes once', async (_where, oneNode) => {
  const conclusion = new Conclusion(connection, { usage, orders, durability }, oneNode)
  const order = aPlaceOrder()
  await accept(order)
  const orderId = orderIdOf(order)
  const [jobId = ''] = await orders.jobsOf(0, [orderId])
  const claimedAt = (await orders.claimedAt(orderId)) ?? 0
  const taking: LimitUse = {
    subject: 'customer',
    id: randomUUID(),
    day: '20260301',
    currency: 'CNY',
    amount: 100n,
    amountMax: 1_000n,
    countMax: 9,
  }
  const judged = { orderId, claimedAt, judged: 'SUCCESS' as const, limitUses: [taking] }
  const conclude = async (laterMs: number) => {
    const openAsOf = await usage.now()
    const later = { ...openAsOf, now: openAsOf.now + laterMs }
    return conclusion.conclude({ shard: 0, jobId }, [{ ...judged, orderCode: undefined }], later)
  }
  expect(await conclude(0)).toEqual(['SUCCESS'])
  const laterMs = 5 * 60_000
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + laterMs })
  expect(await conclude(laterMs)).toEqual(['SUCCESS'])
  expect(await usage.used(taking)).toEqual({ amount: 100n, count: 1n })
})
