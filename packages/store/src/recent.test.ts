import { recentCounters } from '@placeorder/decision'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../test/test-store.ts'
import { recentKey } from './keys.ts'

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

test('a set keeps no more than its own longest window, whatever other subjects are counted for', async () => {
  const [codeValue, customerId] = [anId(), anId()]
  const at = (minutesAgo: number) => ({
    order: aPlaceOrder({ codeValue, customerId }),
    claimedAt: now - minutesAgo * MINUTE_MS,
  })
  await worker.recent.count([at(30)], ['codeOrders10m', 'customerOrders24h'])
  await worker.recent.count([at(0)], ['codeOrders10m', 'customerOrders24h'])
  const size = (subject: 'code' | 'customer', id: string) =>
    connection.zcard(recentKey(0, subject, id))
  expect(await size('code', codeValue)).toBe(1)
  expect(await size('customer', customerId)).toBe(2)
})

test('small and large sets are counted alike, in groups of any size, and re-runs change nothing', async () => {
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
  'a set is kept for a window after each of its orders and ten minutes more, and not for ever: %s',
  async (_, all) => {
    const customerId = anId()
    const key = recentKey(0, 'customer', customerId)
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
