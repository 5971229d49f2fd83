import type { Taking } from '@placeorder/decision'
import { expect, test } from 'vitest'
import { openTestStore } from '../test/test-store.ts'
import { TooLate } from './usage.ts'

const { worker, connection } = await openTestStore({ own: true })
const { usage } = worker
const MINUTE_MS = 60_000
const anId = () => crypto.randomUUID()

const takingOf = (id: string): Taking => ({
  subject: 'customer',
  id,
  day: '2026-01-01',
  currency: 'CNY',
  amount: 100n,
  amountMax: 250n,
  countMax: 50,
})

const passed = (paymentId: string, customer: string, claimedAt = Date.now()) => ({
  paymentId,
  claimedAt,
  judged: 'SUCCESS' as const,
  takings: [takingOf(customer)],
  orderCode: undefined,
})

test('who was stopped for a minute with an open order in hand decides nothing, and takes nothing', async () => {
  const [customer, paymentId] = [anId(), anId()]
  const openAt = String(Number(await usage.time()) - MINUTE_MS - 1)
  await expect(usage.decide([passed(paymentId, customer)], openAt)).rejects.toThrow(TooLate)
  expect(await usage.used(takingOf(customer))).toEqual({ amount: 0n, count: 0n })
  expect(await usage.decide([passed(paymentId, customer)], await usage.time())).toEqual(['SUCCESS'])
})

test('decisions are kept while an order of their minute is open, and for two minutes more', async () => {
  const [customer, paymentId] = [anId(), anId()]
  const now = Date.now()
  const claimedAt = now - 10 * MINUTE_MS
  const decide = async () => usage.decide([passed(paymentId, customer, claimedAt)], await usage.time())
  const minuteKey = `{u}:decided:${Math.floor(claimedAt / MINUTE_MS)}`
  await decide()
  await usage.forget(claimedAt, now) // It is open.
  expect(await connection.exists(minuteKey)).toBe(1)
  await usage.forget(now, now) // No longer, from now on.
  expect(await connection.exists(minuteKey)).toBe(1)
  await usage.forget(now, now + 2 * MINUTE_MS - 1)
  expect(await connection.exists(minuteKey)).toBe(1)
  expect(await decide()).toEqual(['SUCCESS'])
  expect(await usage.used(takingOf(customer))).toEqual({ amount: 100n, count: 1n })
  await usage.forget(now + MINUTE_MS, now + MINUTE_MS)
  await usage.forget(now + 3 * MINUTE_MS, now + 3 * MINUTE_MS)
  expect(await connection.exists(minuteKey)).toBe(0)
})

test('orders of two minutes are decided together, each by its own limits', async () => {
  const customer = anId()
  const now = Date.now()
  const orders = [0, 1, 2].map((i) => passed(anId(), customer, now - i * MINUTE_MS))
  const codes = await usage.decide(orders, await usage.time())
  expect(codes.toSorted()).toEqual(['PAYMENT_AMOUNT_EXCEED_LIMIT', 'SUCCESS', 'SUCCESS'])
  expect(await usage.used(takingOf(customer))).toEqual({ amount: 200n, count: 2n })
})
