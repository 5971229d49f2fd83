import { LIMIT_AMOUNT_MAX, type LimitUse } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { type OrderId, orderIdOf, steadyTimeKey } from '../keys.ts'
import { type JudgedOrder, TooLate } from './limit-usage.ts'

const { worker, connection } = await openTestStore({ own: true })
const { usage } = worker
await usage.forget(undefined) // The steady time begins.
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const anId = () => crypto.randomUUID()
const anOrderId = () => orderIdOf({ acquirerId: 'A-1', paymentId: anId() })

const takingOf = (id: string): LimitUse => ({
  subject: 'customer',
  id,
  day: '2026-01-01',
  currency: 'CNY',
  amount: 100n,
  amountMax: 250n,
  countMax: 50,
})

const passed = (orderId: OrderId, customer: string, claimedAt = Date.now()) => ({
  orderId,
  claimedAt,
  judged: 'SUCCESS' as const,
  limitUses: [takingOf(customer)],
  orderCode: undefined,
})

test('a worker that was suspended for a minute decides nothing and uses no limit', async () => {
  const [customer, orderId] = [anId(), anOrderId()]
  const { now, steady } = await usage.time()
  const openAsOf = { now, steady: steady - MINUTE_MS - 1 }
  await expect(usage.decide([passed(orderId, customer)], openAsOf)).rejects.toThrow(TooLate)
  expect(await usage.used(takingOf(customer))).toEqual({ amount: 0n, count: 0n })
  expect(await usage.decide([passed(orderId, customer)], await usage.now())).toEqual(['SUCCESS'])
})

/** The steady time goes on by so much, as it does while workers look. */
const letPass = (ms: number) => connection.hincrby(steadyTimeKey, 'steady', ms)

test('decisions are kept for two minutes after their minute’s last open order', async () => {
  const [customer, orderId] = [anId(), anOrderId()]
  const claimedAt = Date.now() - 10 * MINUTE_MS
  const decide = async () => usage.decide([passed(orderId, customer, claimedAt)], await usage.now())
  const minuteKey = `{u}:decided:${Math.floor(claimedAt / MINUTE_MS)}`
  await decide()
  await letPass(10 * MINUTE_MS)
  await usage.forget(claimedAt) // It is open.
  expect(await connection.exists(minuteKey)).toBe(1)
  await usage.forget(undefined) // No longer, from now on.
  await letPass(2 * MINUTE_MS - 1_000)
  await usage.forget(undefined)
  expect(await connection.exists(minuteKey)).toBe(1)
  expect(await decide()).toEqual(['SUCCESS'])
  expect(await usage.used(takingOf(customer))).toEqual({ amount: 100n, count: 1n })
  await usage.forget(undefined)
  await letPass(2 * MINUTE_MS)
  // Open again, as where a shard's clock is behind: nothing is forgotten, and all counts anew.
  await usage.forget(claimedAt)
  await usage.forget(undefined)
  expect(await connection.exists(minuteKey)).toBe(1)
  await letPass(2 * MINUTE_MS)
  await usage.forget(undefined)
  expect(await connection.exists(minuteKey)).toBe(0)
})

test('orders of two minutes are decided together, each by its own limits', async () => {
  const customer = anId()
  const now = Date.now()
  const orders = [0, 1, 2].map((i) => passed(anOrderId(), customer, now - i * MINUTE_MS))
  const codes = await usage.decide(orders, await usage.now())
  expect(codes.toSorted()).toEqual(['PAYMENT_AMOUNT_EXCEED_LIMIT', 'SUCCESS', 'SUCCESS'])
  expect(await usage.used(takingOf(customer))).toEqual({ amount: 200n, count: 2n })
})

type Limit = { amountMax?: bigint; countMax?: number }

/** A limit of a merchant of its own, of which an order takes so much. */
function ofNewMerchant({ amountMax, countMax }: Limit): (amount: bigint) => LimitUse {
  const id = anId()
  return (amount) => ({
    subject: 'merchant',
    id,
    currency: 'CNY',
    day: '20260301',
    amount,
    amountMax,
    countMax,
  })
}

const anOrder = (limitUses: LimitUse[], changes: Partial<JudgedOrder> = {}): JudgedOrder => ({
  orderId: anOrderId(),
  claimedAt: Date.now(),
  judged: 'SUCCESS',
  limitUses,
  orderCode: undefined,
  ...changes,
})

const decide = async (orders: JudgedOrder[]) => usage.decide(orders, await usage.now())

test('the limit itself is placed, and not a unit more', async () => {
  const take = ofNewMerchant({ amountMax: 100n })
  expect(await decide([anOrder([take(60n)])])).toEqual(['SUCCESS'])
  expect(await decide([anOrder([take(41n)])])).toEqual(['PAYMENT_AMOUNT_EXCEED_LIMIT'])
  expect(await decide([anOrder([take(40n)])])).toEqual(['SUCCESS'])
  expect(await usage.used(take(0n))).toEqual({ amount: 100n, count: 2n })
})

test('of amount and count the amount is the answer', async () => {
  const take = ofNewMerchant({ amountMax: 10n, countMax: 1 })
  const orders = [anOrder([take(10n)]), anOrder([take(1n)])]
  expect(await decide(orders)).toEqual(['SUCCESS', 'PAYMENT_AMOUNT_EXCEED_LIMIT'])
  const few = ofNewMerchant({ countMax: 1 })
  expect(await decide([anOrder([few(10n)]), anOrder([few(1n)])])).toEqual([
    'SUCCESS',
    'PAYMENT_COUNT_EXCEED_LIMIT',
  ])
})

test('an order that one limit refuses takes from none', async () => {
  const [wide, narrow] = [ofNewMerchant({ amountMax: 1_000n }), ofNewMerchant({ amountMax: 5n })]
  expect(await decide([anOrder([wide(10n), narrow(10n)])])).toEqual(['PAYMENT_AMOUNT_EXCEED_LIMIT'])
  expect(await usage.used(wide(0n))).toEqual({ amount: 0n, count: 0n })
  expect(await usage.used(narrow(0n))).toEqual({ amount: 0n, count: 0n })
})

test('an order code is placed with one order; a closed one refuses before any limit', async () => {
  const orderCode = `https://pay.example/${anId()}`
  const take = ofNewMerchant({ amountMax: 10n })
  const [first, second] = [anOrder([take(10n)], { orderCode }), anOrder([take(10n)], { orderCode })]
  expect(await decide([first, second])).toEqual(['SUCCESS', 'ORDER_IS_CLOSED'])
  expect(await decide([second, first])).toEqual(['ORDER_IS_CLOSED', 'SUCCESS'])
  expect(await worker.directory.holder(orderCode)).toBe(first.orderId)
  expect(await usage.used(take(0n))).toEqual({ amount: 10n, count: 1n })
})

test('an order code that a limit refused is still open to another order', async () => {
  const orderCode = `https://pay.example/${anId()}`
  const none = ofNewMerchant({ countMax: 0 })
  expect(await decide([anOrder([none(1n)], { orderCode })])).toEqual(['PAYMENT_COUNT_EXCEED_LIMIT'])
  expect(await decide([anOrder([], { orderCode })])).toEqual(['SUCCESS'])
})

test('the first decision stands, whatever the order is judged to later', async () => {
  const take = ofNewMerchant({ countMax: 1 })
  const [placed, refused] = [anOrder([take(1n)]), anOrder([], { judged: 'RISK_REJECT' })]
  await decide([placed, refused])
  expect(await decide([{ ...placed, judged: 'PROCESS_FAIL', limitUses: [] }])).toEqual(['SUCCESS'])
  expect(await decide([{ ...refused, judged: 'SUCCESS' }])).toEqual(['RISK_REJECT'])
})

test('an order that is in a group twice uses its limits once', async () => {
  const take = ofNewMerchant({ amountMax: 100n })
  const order = anOrder([take(10n)])
  expect(await decide([order, order])).toEqual(['SUCCESS', 'SUCCESS'])
  expect(await usage.used(take(0n))).toEqual({ amount: 10n, count: 1n })
})

test('simultaneous decisions on one order are one decision', async () => {
  const take = ofNewMerchant({ amountMax: 100n })
  const order = anOrder([take(10n)])
  const codes = await Promise.all(Array.from({ length: 50 }, () => decide([order])))
  expect(codes.flat()).toEqual(Array(50).fill('SUCCESS'))
  expect(await usage.used(take(0n))).toEqual({ amount: 10n, count: 1n })
})

test('counters are exact up to the largest signed 64-bit number, and stop past it', async () => {
  const take = ofNewMerchant({ amountMax: LIMIT_AMOUNT_MAX })
  const most = LIMIT_AMOUNT_MAX - 1n
  expect(await decide([anOrder([take(most)]), anOrder([take(2n)]), anOrder([take(1n)])])).toEqual([
    'SUCCESS',
    'PAYMENT_AMOUNT_EXCEED_LIMIT',
    'SUCCESS',
  ])
  expect(await usage.used(take(0n))).toEqual({ amount: LIMIT_AMOUNT_MAX, count: 2n })
  const counted = ofNewMerchant({ countMax: 5 })
  const long = BigInt('9'.repeat(60_000))
  expect(await decide([anOrder([counted(long)]), anOrder([counted(1n)])])).toEqual([
    'SUCCESS',
    'SUCCESS',
  ])
  expect(await usage.used(counted(0n))).toEqual({ amount: 10n ** 19n, count: 2n })
})

test.each([10n ** 15n - 1n, 10n ** 15n, 10n ** 15n + 1n, 2n ** 53n + 1n])(
  'counters are exact where the script switches to digits: a limit of %d',
  async (amountMax) => {
    const take = ofNewMerchant({ amountMax })
    const orders = () => [anOrder([take(amountMax - 2n)]), anOrder([take(1n)]), anOrder([take(2n)])]
    expect(await decide(orders())).toEqual(['SUCCESS', 'SUCCESS', 'PAYMENT_AMOUNT_EXCEED_LIMIT'])
    expect(await decide([anOrder([take(2n)]), anOrder([take(1n)]), anOrder([take(1n)])])).toEqual([
      'PAYMENT_AMOUNT_EXCEED_LIMIT',
      'SUCCESS',
      'PAYMENT_AMOUNT_EXCEED_LIMIT',
    ])
    expect(await usage.used(take(0n))).toEqual({ amount: amountMax, count: 3n })
  },
)

test('a group far larger than any real one is decided', async () => {
  const takes = Array.from({ length: 1_500 }, () => ofNewMerchant({ countMax: 1 }))
  const orders = takes.map((take) => anOrder([take(1n)], { orderCode: anId() }))
  expect(new Set(await decide(orders))).toEqual(new Set<FinalCode>(['SUCCESS']))
})

test('a day’s counters are forgotten three days after the last order was counted', async () => {
  const taking = { ...takingOf(anId()), day: '19991231' }
  const order = () => ({ ...passed(anOrderId(), ''), limitUses: [taking] })
  await usage.decide([order()], await usage.now())
  await usage.forget(undefined)
  await letPass(71 * 60 * MINUTE_MS)
  await usage.decide([order()], await usage.now())
  await usage.forget(undefined)
  await letPass(71 * 60 * MINUTE_MS)
  await usage.forget(undefined)
  expect(await usage.used(taking)).toEqual({ amount: 200n, count: 2n })
  await letPass(2 * 60 * MINUTE_MS)
  await usage.forget(undefined)
  expect(await usage.used(taking)).toEqual({ amount: 0n, count: 0n })
})

/**
 * Redis's clock is put, as the steady time sees it: what it said at the last call was so much
 * earlier or later.
 */
const putClock = (ms: number) => connection.hincrby(steadyTimeKey, 'at', -ms)

test.each([
  ['three days ahead for a round', [3 * DAY_MS, -3 * DAY_MS]],
  ['three days back', [-3 * DAY_MS]],
  [
    'ahead and back, again and again',
    Array.from({ length: 10 }, (_, i) => (i % 2 ? -1 : 1) * DAY_MS),
  ],
])(
  'when the clock of Redis is put %s, no counter and no decision is forgotten',
  async (_, steps) => {
    const [customer, orderId] = [anId(), anOrderId()]
    const order = passed(orderId, customer, Date.now() - 10 * MINUTE_MS)
    await usage.decide([order], await usage.now())
    await usage.forget(undefined)
    await usage.forget(undefined)
    const before = await usage.now()
    for (const step of steps) {
      await putClock(step)
      await usage.forget(undefined)
    }
    const after = await usage.now()
    expect(after.steady - before.steady).toBeLessThanOrEqual(10_000 * steps.length)
    expect(after.steady).toBeGreaterThanOrEqual(before.steady)
    expect(await usage.decide([order], after)).toEqual(['SUCCESS'])
    expect(await usage.used(takingOf(customer))).toEqual({ amount: 100n, count: 1n })
  },
)

test('a counter stops above every limit, however large amounts are', async () => {
  const ofMerchant = ofNewMerchant({ countMax: 50 })
  const most = 10n ** 19n
  const huge = BigInt('9'.repeat(29_000))
  for (const [amount, sum] of [
    [huge, most],
    [huge, most],
    [1n, most],
  ] as const) {
    expect(await usage.decide([anOrder([ofMerchant(amount)])], await usage.now())).toEqual([
      'SUCCESS',
    ])
    expect((await usage.used(ofMerchant(amount))).amount).toBe(sum)
  }
  const limited = { ...ofMerchant(1n), amountMax: LIMIT_AMOUNT_MAX }
  expect(await usage.decide([anOrder([limited])], await usage.now())).toEqual([
    'PAYMENT_AMOUNT_EXCEED_LIMIT',
  ])
})
