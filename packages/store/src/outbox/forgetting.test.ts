import { randomUUID } from 'node:crypto'
import { aPlaceOrder } from '@placeorder/testkit'
import { beforeEach, describe, expect, test } from 'vitest'
import { openTestStore, runningTwice } from '../../test/test-store.ts'
import {
  abandonedKey,
  archiveKey,
  forgottenKey,
  type OrderId,
  openKey,
  orderIdOf,
  orderKey,
  outboxKey,
} from '../keys.ts'
import { ArchiveStates } from './archive-state.ts'
import { bitsOf, capacityOf } from './filters.ts'
import { Forgetting, type OrdersToForget, type OrderToCompare } from './forgetting.ts'
import { Outbox } from './outbox.ts'

/** A filter of 64 bytes is full with 30 orders. */
const FIRST_BYTES = 64

const { accept, worker, connection } = await openTestStore({ own: true })
const states = new ArchiveStates(connection, 1)
const forgetting = new Forgetting(connection, FIRST_BYTES)
const archiveId = randomUUID()
beforeEach(async () => {
  await connection.flushall()
  await states.switchOn(0, archiveId)
})

async function concluded(count = 1): Promise<OrderToCompare[]> {
  const orders = Array.from({ length: count }, () => aPlaceOrder())
  for (const order of orders) await accept(order)
  const orderIds = orders.map((order) => orderIdOf(order))
  await worker.orders.concludeAll(
    0,
    orderIds.map((orderId) => ({ orderId, outcome: 'SUCCESS' })),
  )
  const read = await forgetting.read(0, orderIds)
  return read.flatMap((order) => (order === undefined || order instanceof Error ? [] : [order]))
}

const forget = (orders: OrderToCompare[], other: Partial<OrdersToForget> = {}, by = forgetting) =>
  by.forget(0, { archiveId, version: 1, dueAt: 0, from: '0-0', to: '1-1', orders, ...other })

/** Whether a filter has an order. */
async function isIn(n: number, bytes: number, orderId: OrderId): Promise<boolean> {
  const bits = bitsOf(orderId, bytes).map((bit) => connection.getbit(forgottenKey(0, n), bit))
  return (await Promise.all(bits)).every((bit) => bit === 1)
}
const keysOf = async ({ orderId }: { orderId: OrderId }) =>
  (await connection.keys('*')).filter((key) => key.includes(orderId))
const known = () => connection.hgetall(archiveKey(0))

describe('an order that is forgotten', () => {
  test('leaves its bits in a filter, and nothing else', async () => {
    const [order] = await concluded()
    if (order === undefined) throw new Error('it is concluded')
    await connection.zadd(abandonedKey(0), 1, order.orderId)
    expect(await forget([order])).toBe(1)
    expect(await keysOf(order)).toEqual([])
    expect(await connection.zscore(openKey(0), order.orderId)).toBeNull()
    expect(await connection.zscore(abandonedKey(0), order.orderId)).toBeNull()
    expect(await isIn(1, FIRST_BYTES, order.orderId)).toBe(true)
    expect(await known()).toMatchObject({
      filters: '1:64:1',
      generation: '1',
      forgottenVersion: '1',
      forgottenTo: '1-1',
    })
  })

  test('is counted once, however often it is forgotten', async () => {
    const orders = await concluded(3)
    const twice = new Forgetting(runningTwice(connection), FIRST_BYTES)
    await forget(orders, {}, twice)
    expect(await forget(orders)).toBe(0)
    expect(await known()).toMatchObject({ filters: '1:64:3' })
  })

  test('is not claimed, decided or moved again by scripts that come late', async () => {
    const [order] = await concluded()
    if (order === undefined) throw new Error('it is concluded')
    await forget([order])
    const { orderId } = order
    await worker.orders.conclude(orderId, 'RISK_REJECT')
    await worker.orders.reassign(0, [{ orderId, from: 'g-1', to: 'g-2' }], 'UNKNOWN_EXCEPTION')
    expect(await connection.exists(orderKey(0, orderId))).toBe(0)
  })
})

describe('nothing is forgotten', () => {
  const refused = async (orders: OrderToCompare[], other: Partial<OrdersToForget>, why: string) => {
    await expect(forget(orders, other)).rejects.toMatchObject({ name: 'NotForgotten', why })
    for (const { orderId } of orders) expect(await connection.exists(orderKey(0, orderId))).toBe(1)
    expect(await known()).not.toHaveProperty('forgottenTo')
    expect((await known()).filters ?? '1:64:0').toBe('1:64:0')
  }

  test('before its time by the clock of Redis', async () => {
    await refused(await concluded(), { dueAt: Date.now() + 60_000 }, 'EARLY')
  })

  test('for an archive that is older than it was', async () => {
    const orders = await concluded()
    await connection.hset(archiveKey(0), 'committed', 2)
    await refused(orders, {}, 'BEHIND')
    await connection.hset(archiveKey(0), 'committed', 0, 'forgottenVersion', 2)
    await refused(orders, {}, 'BEHIND')
  })

  test('for another archive', async () => {
    await refused(await concluded(), { archiveId: randomUUID() }, 'OTHER')
  })

  test.each(['terms', 'outcome', 'paymentRequestId', 'concludedAt'] as const)(
    'if one of the records has other %s than the archive',
    async (field) => {
      const orders = await concluded(2)
      const other = field === 'concludedAt' ? 1 : 'other'
      const changed = orders.map((order, i) => (i === 1 ? { ...order, [field]: other } : order))
      await refused(changed, {}, 'CHANGED')
    },
  )

  test('into a filter that is missing', async () => {
    const [first, second] = [await concluded(), await concluded()]
    await forget(first)
    await connection.del(forgottenKey(0, 1))
    await connection.hdel(archiveKey(0), 'forgottenTo')
    await expect(forget(second)).rejects.toThrow('its length')
    expect(await connection.exists(forgottenKey(0, 1))).toBe(0)
  })
})

test('a full filter is followed by one four times as long, and stays', async () => {
  const [first, second] = [await concluded(capacityOf(FIRST_BYTES)), await concluded(2)]
  await forget(first)
  await forget(second)
  expect(await known()).toMatchObject({
    filters: `1:64:${first.length} 2:256:2`,
    generation: '2',
  })
  for (const { orderId } of first) expect(await isIn(1, 64, orderId)).toBe(true)
  for (const { orderId } of second) expect(await isIn(2, 256, orderId)).toBe(true)
  expect(await connection.strlen(forgottenKey(0, 2))).toBe(256)
})

test('orders are forgotten while memory is full', async () => {
  const orders = await concluded(2)
  await connection.config('SET', 'maxmemory', '1')
  try {
    await expect(connection.set('more', '1')).rejects.toThrow('OOM')
    expect(await forget(orders)).toBe(2)
  } finally {
    await connection.config('SET', 'maxmemory', '0')
  }
})

test('two that forget the same orders forget each once', async () => {
  const orders = await concluded(10)
  const counts = await Promise.all([forget(orders), forget(orders), forget(orders)])
  expect(counts.reduce((sum, count) => sum + count)).toBe(10)
  expect(await known()).toMatchObject({ filters: '1:64:10', generation: '1' })
})

test('the highest version and id stand, whoever is late', async () => {
  const [one, other] = await concluded(2)
  if (one === undefined || other === undefined) throw new Error('both are concluded')
  await forget([one], { version: 7, to: '9-10' })
  await expect(forget([other], { version: 6, to: '9-11' })).rejects.toThrow('older')
  await forget([other], { version: 7, to: '9-9' })
  expect(await known()).toMatchObject({ forgottenVersion: '7', forgottenTo: '9-10' })
})

test('what a newer Redis was to forget is not skipped by one from an older file', async () => {
  const [one, other] = [await concluded(), await concluded()]
  await forget(one, { to: '5-1' })
  expect(await forget([], { from: '7-1', to: '9-1' })).toBe(0)
  expect(await known()).toMatchObject({ forgottenTo: '5-1' })
  await forget(other, { from: '5-1', to: '9-1' })
  expect(await known()).toMatchObject({ forgottenTo: '9-1' })
})

describe('the outbox', () => {
  test('keeps what is not forgotten yet, where orders are forgotten', async () => {
    const outbox = new Outbox(connection)
    const calls = 1_000 // Of a stream's oldest entries, whole nodes are removed.
    const [order] = await concluded()
    if (order === undefined) throw new Error('it is concluded')
    for (let i = 0; i < calls; i += 1) await outbox.backfill(0, [order])
    const ids = (await outbox.read(0, 'a', 2 * calls)).map(({ id }) => id)
    await outbox.acknowledge(0, ids)
    await states.raise(0, { archiveId, version: 1, archivedTo: ids.at(-1) ?? '' })
    await forgetting.switchOn(0)
    expect(await outbox.trim(0)).toBe(0)
    await forget([order], { to: ids[calls / 2] ?? '' })
    expect(await outbox.trim(0)).toBeGreaterThan(0)
    expect(await connection.xrange(outboxKey(0), ids[calls / 2] ?? '', '+')).toHaveLength(
      calls / 2 + 1,
    )
  })

  test('is not kept for a Redis that knows no archive', async () => {
    await connection.del(archiveKey(0))
    await forgetting.switchOn(0)
    expect(await connection.exists(archiveKey(0))).toBe(0)
  })
})
