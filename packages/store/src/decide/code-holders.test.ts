import type { OrderCodeRecord } from '@placeorder/decision'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { codeHolderKey, digestOf, orderIdOf } from '../keys.ts'
import type { JudgedOrder } from './limit-usage.ts'

const DAY_MS = 86_400_000

const { worker, connection } = await openTestStore()
const { directory, usage } = worker

const aCode = (given: Partial<OrderCodeRecord> = {}): OrderCodeRecord => ({
  codeValue: crypto.randomUUID(),
  type: 'ORDER_CODE',
  merchantId: 'M',
  status: 'OPEN',
  amount: { value: '1', currency: 'CNY' },
  ...given,
})
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()
const expiryOf = ({ expiresAt }: OrderCodeRecord) =>
  expiresAt == null ? undefined : Date.parse(expiresAt)
/** Until when the holder of a code is kept: -1 for ever, -2 if there is none. */
const keptUntil = ({ codeValue }: OrderCodeRecord) =>
  connection.pexpiretime(codeHolderKey(digestOf(codeValue)))

/** Decides an order that is placed with this code. */
async function placed(code: OrderCodeRecord) {
  const now = await usage.now()
  const orderId = orderIdOf(aPlaceOrder())
  const holds = { orderCode: code.codeValue, orderCodeExpiresAt: expiryOf(code) }
  const order: JudgedOrder = {
    ...holds,
    orderId,
    claimedAt: now.now,
    judged: 'SUCCESS',
    limitUses: [],
  }
  return { orderId, outcome: (await usage.decide([order], now))[0] }
}

test('the holder of a code is kept until a day after the code expires', async () => {
  const code = aCode({ expiresAt: inMs(60_000) })
  await directory.put([], [code])
  expect((await placed(code)).outcome).toBe('SUCCESS')
  expect(await keptUntil(code)).toBe((expiryOf(code) ?? 0) + DAY_MS)
})

test('the holder of a code that never expires is kept for ever', async () => {
  const code = aCode()
  await directory.put([], [code])
  await placed(code)
  expect(await keptUntil(code)).toBe(-1)
})

test('a code that is imported again keeps its holder, as long as it is valid now', async () => {
  const code = aCode({ expiresAt: inMs(60_000) })
  await directory.put([], [code])
  const { orderId } = await placed(code)
  const longer = { ...code, expiresAt: inMs(10 * DAY_MS) }
  await directory.put([], [longer])
  expect(await keptUntil(code)).toBe((expiryOf(longer) ?? 0) + DAY_MS)
  await directory.put([], [{ ...code, expiresAt: null }])
  expect(await keptUntil(code)).toBe(-1)
  expect(await directory.holder(code.codeValue)).toBe(orderId)
  expect((await placed(code)).outcome).toBe('ORDER_IS_CLOSED')
})

test('the holder goes with its code, and with a code that expired over a day ago', async () => {
  const [removed, expired] = [aCode(), aCode()]
  await directory.put([], [removed, expired])
  for (const code of [removed, expired]) await placed(code)
  expect(await directory.removeCode(removed.codeValue)).toBe(true)
  await directory.put([], [{ ...expired, expiresAt: inMs(-DAY_MS - 1_000) }])
  for (const code of [removed, expired]) expect(await keptUntil(code)).toBe(-2)
})

test('a code that was removed may be removed again: its holder goes then', async () => {
  const code = aCode()
  await placed(code)
  expect(await directory.removeCode(code.codeValue)).toBe(false)
  expect(await keptUntil(code)).toBe(-2)
})

test('a code that nobody was placed with has no holder after its import', async () => {
  const code = aCode({ expiresAt: inMs(60_000) })
  await directory.put([], [code, code])
  expect(await keptUntil(code)).toBe(-2)
})
