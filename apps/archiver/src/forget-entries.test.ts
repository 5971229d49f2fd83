import { namesOf, type OrderId, type OutboxEntry } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { openBothStores } from '../test/both-stores.ts'
import { copyBatch, readBatch } from './copy-batch.ts'
import { type ForgetDeps, forgetEntries } from './forget-entries.ts'

/** By Redis's clock nothing is as old. */
const KEEP_MS = 60_000

const { archive, archiveId, store, connection, conclude, postgres } = await openBothStores()
const reported: string[] = []
afterEach(() => void reported.splice(0))
const observer = {
  copied: () => {},
  contradicted: (orderId: OrderId) => reported.push(`contradicted ${orderId}`),
  setAside: (orderId: OrderId) => reported.push(`set aside ${orderId}`),
  forgotten: (orders: number) => reported.push(`forgotten ${orders}`),
}
const deps: ForgetDeps = { store, archive, archiveId, keepMs: 0, observer }

const forget = async (entries: OutboxEntry[], other: Partial<ForgetDeps> = {}) => {
  const { forgottenTo: from = '0-0' } = await store.forgetting.stateOf(0)
  return forgetEntries(0, { from, entries }, Date.now(), { ...deps, ...other })
}

async function copy(entries: OutboxEntry[]): Promise<void> {
  const deps = { store, archive, archiveId, observer }
  await copyBatch(0, await readBatch(0, entries, deps), deps)
}

/** Concludes orders in one entry, and has them copied. */
async function archived(...orders: Parameters<typeof conclude>) {
  const orderIds = await conclude(...orders)
  const entries = await store.outbox.read(0, 'test', 100)
  await copy(entries)
  return { orderIds, entries, orderId: orderIds[0] ?? ('' as OrderId) }
}
const exist = (orderIds: OrderId[]) =>
  connection.exists(...orderIds.map((orderId) => `{s0}:order:${orderId}`))

test('orders that are archived, equal and due are forgotten, each once', async () => {
  const { orderIds, entries } = await archived([aPlaceOrder(), aPlaceOrder(), aPlaceOrder()])
  expect(await forget(entries)).toBe(entries.at(-1)?.id)
  expect(await exist(orderIds)).toBe(0)
  expect(await forget(entries)).toBe(entries.at(-1)?.id)
  expect(reported).toEqual(['forgotten 3', 'forgotten 0'])
})

/** Sets the times of all orders in both stores. */
async function setTimes(orderIds: OrderId[], concludedAt: number, archivedAt: number) {
  for (const orderId of orderIds)
    await connection.hset(`{s0}:order:${orderId}`, 'concludedAt', concludedAt)
  const times = [concludedAt, archivedAt].map((ms) => new Date(ms).toISOString())
  await postgres.query('UPDATE orders SET concluded_at = $1, archived_at = $2', times)
}

test('an order is kept after it was concluded, and after it was archived', async () => {
  const { orderIds, entries } = await archived()
  const [now, ago] = [Date.now(), Date.now() - 2 * KEEP_MS]
  for (const [concludedAt, archivedAt] of [
    [now, now],
    [ago, now],
    [now, ago],
  ] as const) {
    await setTimes(orderIds, concludedAt, archivedAt)
    expect(await forget(entries, { keepMs: KEEP_MS })).toBeUndefined()
  }
  expect(await exist(orderIds)).toBe(1)
  await setTimes(orderIds, ago, ago)
  expect(await forget(entries, { keepMs: KEEP_MS })).toBe(entries.at(-1)?.id)
  expect(await exist(orderIds)).toBe(0)
})

test.each([
  ['Redis', 'PostgreSQL'],
  ['PostgreSQL', 'Redis'],
])('a clock of %s that was a day ahead keeps no order: that of %s counts', async (ahead) => {
  const { orderIds, entries } = await archived()
  const [tomorrow, ago] = [Date.now() + 86_400_000, Date.now() - 2 * KEEP_MS]
  const times = (right: number) =>
    ahead === 'Redis' ? ([tomorrow, right] as const) : ([right, tomorrow] as const)
  await setTimes(orderIds, ...times(Date.now()))
  expect(await forget(entries, { keepMs: KEEP_MS })).toBeUndefined()
  await setTimes(orderIds, ...times(ago))
  expect(await forget(entries, { keepMs: KEEP_MS })).toBe(entries.at(-1)?.id)
  expect(await exist(orderIds)).toBe(0)
})

describe('an order that the archive has otherwise', () => {
  test.each([
    ['outcome', 'PROCESS_FAIL'],
    ['terms', 'other terms'],
    ['paymentRequestId', 'another'],
    ['concludedAt', '1'],
  ])('by its %s is set aside and stays, and holds up no other', async (field, value) => {
    const { orderIds, orderId, entries } = await archived([aPlaceOrder(), aPlaceOrder()])
    await connection.hset(`{s0}:order:${orderId}`, field, value)
    await forget(entries)
    expect(await exist([orderId])).toBe(1)
    expect(await exist(orderIds)).toBe(1)
    expect(reported).toEqual([`contradicted ${orderId}`, 'forgotten 1'])
    expect(await store.states.listSetAside(0)).toContainEqual({
      orderId,
      reason: 'the archive has it otherwise',
    })
  })
})

test('an order that copying set aside, for its time alone, stays', async () => {
  const { orderIds, orderId, entries } = await archived([aPlaceOrder(), aPlaceOrder()])
  await connection.hincrby(`{s0}:order:${orderId}`, 'concludedAt', -1)
  await copy(entries)
  expect(await forget(entries)).toBe(entries.at(-1)?.id)
  expect(await exist([orderId])).toBe(1)
  expect(await exist(orderIds)).toBe(1)
  expect(reported).toEqual([`contradicted ${orderId}`, `set aside ${orderId}`, 'forgotten 1'])
})

test('nothing is forgotten that the archive has lost', async () => {
  const { orderIds, orderId, entries } = await archived([aPlaceOrder(), aPlaceOrder()])
  const { paymentId } = namesOf(orderId)
  await postgres.query('DELETE FROM orders WHERE payment_id = $1', [paymentId])
  await expect(forget(entries)).rejects.toThrow(`order ${paymentId}`)
  expect(await exist(orderIds)).toBe(2)
})

test('an order that was set aside stays, and holds up no other', async () => {
  const { orderIds, orderId, entries } = await archived([aPlaceOrder(), aPlaceOrder()])
  await postgres.query('DELETE FROM orders WHERE payment_id = $1', [namesOf(orderId).paymentId])
  await store.states.setAside(0, [{ orderId, reason: 'a reason' }])
  await forget(entries)
  expect(await exist(orderIds)).toBe(1)
  expect(await exist([orderId])).toBe(1)
})

test('an entry that is copied again after its orders were forgotten changes nothing', async () => {
  const { orderIds, entries } = await archived()
  await forget(entries)
  await copy(entries)
  expect(reported).toEqual(['forgotten 1'])
  expect(await exist(orderIds)).toBe(0)
})
