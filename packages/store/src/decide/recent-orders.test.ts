import { recentCounters } from '@placeorder/decision'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { digestOf, largeRecentKey, recentKey } from '../keys.ts'

const { worker, connection } = await openTestStore()
const MINUTE_MS = 60_000
const now = Date.now()
const anId = () => crypto.randomUUID()

test('each order sees the others of its customer before it, in each window', async () => {
  const customerId = anId()
  const at = (minutesAgo: number) => ({
    order: aPlaceOrder({ customerId }),
    claimedAt: now - minutesAgo * MINUTE_MS,
  })
  const recents = await worker.recent.count([at(1_400), at(59), at(9), at(0)], recentCounters)
  expect(
    recents.map((r) => [r.customerOrders10m, r.customerOrders1h, r.customerOrders24h]),
  ).toEqual([
    [0, 0, 0],
    [0, 0, 1],
    [0, 1, 2],
    [1, 2, 3],
  ])
})

test('an order is counted once, however often it is run', async () => {
  const customerId = anId()
  const first = { order: aPlaceOrder({ customerId }), claimedAt: now - 1_000 }
  const second = { order: aPlaceOrder({ customerId }), claimedAt: now }
  for (let run = 0; run < 5; run += 1) await worker.recent.count([first], ['customerOrders1h'])
  const [recent] = await worker.recent.count([second], ['customerOrders1h'])
  expect(recent?.customerOrders1h).toBe(1)
})

test('a re-run sees what the first run saw, whatever came later', async () => {
  const customerId = anId()
  const early = { order: aPlaceOrder({ customerId }), claimedAt: now - 5_000 }
  const later = Array.from({ length: 3 }, (_, i) => ({
    order: aPlaceOrder({ customerId }),
    claimedAt: now - i,
  }))
  const [first] = await worker.recent.count([early], ['customerOrders10m'])
  await worker.recent.count(later, ['customerOrders10m'])
  const [again] = await worker.recent.count([early], ['customerOrders10m'])
  expect(again).toEqual(first)
})

test('an order that is run again late still sees all of its day', async () => {
  const customerId = anId()
  const at = (minutesAgo: number) => ({
    order: aPlaceOrder({ customerId }),
    claimedAt: now - minutesAgo * MINUTE_MS,
  })
  const [dayBefore, late] = [at(24 * 60 + 5), at(10)]
  const [, first] = await worker.recent.count([dayBefore, late], ['customerOrders24h'])
  await worker.recent.count([at(0)], ['customerOrders24h'])
  const [again] = await worker.recent.count([late], ['customerOrders24h'])
  expect([first?.customerOrders24h, again?.customerOrders24h]).toEqual([1, 1])
})

test('code and merchant are counted apart from the customer', async () => {
  const merchant = { referenceMerchantId: `M-${anId().slice(0, 8)}` }
  const one = {
    order: aPlaceOrder({ merchant, codeValue: anId(), customerId: anId() }),
    claimedAt: now - 10,
  }
  const two = {
    order: aPlaceOrder({ merchant, codeValue: anId(), customerId: anId() }),
    claimedAt: now,
  }
  const [, recent] = await worker.recent.count([one, two], recentCounters)
  expect(recent).toMatchObject({ merchantOrders10m: 1, codeOrders10m: 0, customerOrders10m: 0 })
})

test('counters no rule mentions are not kept, and an order without customer has none', async () => {
  const customerId = anId()
  await worker.recent.count([{ order: aPlaceOrder({ customerId }), claimedAt: now - 10 }], [])
  const { customerId: _, ...anonymous } = aPlaceOrder()
  const [named, nameless] = await worker.recent.count(
    [
      { order: aPlaceOrder({ customerId }), claimedAt: now },
      { order: anonymous, claimedAt: now },
    ],
    ['customerOrders24h'],
  )
  expect(named?.customerOrders24h).toBe(0)
  expect(nameless?.customerOrders24h).toBe(0)
})

test('a set keeps no more than its own longest window', async () => {
  const [codeValue, customerId] = [anId(), anId()]
  const at = (minutesAgo: number) => ({
    order: aPlaceOrder({ codeValue, customerId }),
    claimedAt: now - minutesAgo * MINUTE_MS,
  })
  await worker.recent.count([at(30)], ['codeOrders10m', 'customerOrders24h'])
  await worker.recent.count([at(0)], ['codeOrders10m', 'customerOrders24h'])
  const size = (subject: 'code' | 'customer', id: string) =>
    connection.zcard(recentKey(0, subject, digestOf(id)))
  expect(await size('code', codeValue)).toBe(1)
  expect(await size('customer', customerId)).toBe(2)
})

test('counts are the same for sets and groups of any size, and for repeated runs', async () => {
  const merchantId = anId()
  const merchant = { referenceMerchantId: merchantId }
  const orders = Array.from({ length: 60 }, (_, i) => ({
    order: aPlaceOrder({ merchant }),
    claimedAt: now - (60 - i) * 20_000,
  }))
  const counters = ['merchantOrders10m', 'merchantOrders1h'] as const
  const expected = orders.map((_, i) => [Math.min(i, 29), i])
  for (const size of [1, 7, 60]) {
    const counted: number[][] = []
    for (let at = 0; at < orders.length; at += size) {
      const recents = await worker.recent.count(orders.slice(at, at + size), counters)
      counted.push(...recents.map((r) => [r.merchantOrders10m, r.merchantOrders1h]))
    }
    expect(counted).toEqual(expected)
  }
})

test.each([
  ['now and then', [45, 25, 14, 9, 3, 0]],
  ['all the time', Array.from({ length: 45 }, (_, i) => 44 - i)],
])(
  'a set is kept for a window and ten minutes after its orders, then expires: %s',
  async (_, all) => {
    const customerId = anId()
    const key = recentKey(0, 'customer', digestOf(customerId))
    for (const minutesAgo of all) {
      const order = aPlaceOrder({ customerId })
      await worker.recent.count(
        [{ order, claimedAt: now - minutesAgo * MINUTE_MS }],
        ['customerOrders10m'],
      )
      const leftMs = await connection.pttl(key)
      expect(leftMs).toBeGreaterThan((20 - minutesAgo) * MINUTE_MS)
      expect(leftMs).toBeLessThanOrEqual(40 * MINUTE_MS)
    }
  },
)

test('a set that was removed meanwhile expires like any other', async () => {
  const customerId = anId()
  const key = recentKey(0, 'customer', digestOf(customerId))
  const count = (ms: number) =>
    worker.recent.count(
      [{ order: aPlaceOrder({ customerId }), claimedAt: now - ms }],
      ['customerOrders10m'],
    )
  await count(2_000)
  await count(1_000) // From now on it is known to be kept.
  await connection.del(key)
  await count(0)
  expect(await connection.pttl(key)).toBeGreaterThan(0)
})

/** A merchant of its own, with this many recent orders, claimed so long ago. */
async function aMerchantWith(orders: number, minutesAgo: number): Promise<string> {
  const merchantId = anId()
  const at = now - minutesAgo * MINUTE_MS
  const words = Array.from({ length: orders }, (_, i) => [at, `${merchantId}-${i}`])
  await connection.zadd(recentKey(0, 'merchant', merchantId), ...words.flat())
  return merchantId
}

const countFor = (merchantId: string, orders: number) =>
  worker.recent.count(
    Array.from({ length: orders }, () => ({
      order: aPlaceOrder({ merchant: { referenceMerchantId: merchantId } }),
      claimedAt: now,
    })),
    ['merchantOrders10m'],
  )

test('an order removes few of its merchant’s old orders, however many there are', async () => {
  const merchantId = await aMerchantWith(20_000, 60)
  const key = recentKey(0, 'merchant', merchantId)
  await connection.pexpireat(key, now + MINUTE_MS)
  await countFor(merchantId, 1)
  const kept = await connection.zcard(key)
  expect(kept).toBeLessThan(20_001)
  expect(kept).toBeGreaterThan(19_700)
})

test('while orders come, those that are in no window any more are removed', async () => {
  const merchantId = await aMerchantWith(2_000, 60)
  for (let group = 0; group < 40; group += 1) await countFor(merchantId, 32)
  expect(await connection.zcard(recentKey(0, 'merchant', merchantId))).toBe(40 * 32)
})

test('a large set does not expire, and is unlinked once it is in no window', async () => {
  const merchantId = await aMerchantWith(1_000, 1)
  const key = recentKey(0, 'merchant', merchantId)
  await connection.pexpireat(key, now + 10 * MINUTE_MS)
  await countFor(merchantId, 1)
  expect(await connection.pttl(key)).toBeGreaterThan(365 * 24 * 60 * MINUTE_MS)
  const keptUntil = Number(await connection.zscore(largeRecentKey(0), key))
  expect(keptUntil).toBe(now + 40 * MINUTE_MS)
  await worker.recent.unlinkLarge(0, keptUntil - 1)
  expect(await connection.exists(key)).toBe(1)
  const freedAside = async () =>
    Number(/lazyfreed_objects:(\d+)/.exec(await connection.info('memory'))?.[1])
  const before = await freedAside()
  await worker.recent.unlinkLarge(0, keptUntil)
  expect(await connection.exists(key)).toBe(0)
  expect(await connection.zscore(largeRecentKey(0), key)).toBeNull()
  await expect.poll(freedAside).toBeGreaterThan(before)
})

test('a large set is kept as long as orders come, even few', async () => {
  const merchantId = await aMerchantWith(1_000, 1)
  const key = recentKey(0, 'merchant', merchantId)
  await countFor(merchantId, 1)
  await countFor(merchantId, 1)
  const order = aPlaceOrder({ merchant: { referenceMerchantId: merchantId } })
  const later = { order, claimedAt: now + 30 * MINUTE_MS }
  await worker.recent.count([later], ['merchantOrders10m'])
  await worker.recent.unlinkLarge(0, now + 60 * MINUTE_MS)
  expect(await connection.exists(key)).toBe(1)
})
