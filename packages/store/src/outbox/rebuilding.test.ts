import { randomUUID } from 'node:crypto'
import { aPlaceOrder } from '@placeorder/testkit'
import { beforeEach, expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { archiveKey, forgottenKey, type OrderId, orderIdOf } from '../keys.ts'
import { ArchiveStates } from './archive-state.ts'
import { Forgetting } from './forgetting.ts'
import { Rebuilding } from './rebuilding.ts'

const FIRST_BYTES = 64

const { accept, worker, connection } = await openTestStore({ own: true })
const states = new ArchiveStates(connection, 1)
const forgetting = new Forgetting(connection, FIRST_BYTES)
const rebuilding = new Rebuilding(connection, FIRST_BYTES)
const archiveId = randomUUID()
beforeEach(async () => {
  await connection.flushall()
  await states.switchOn(0, archiveId)
})

async function concluded(): Promise<OrderId> {
  const order = aPlaceOrder()
  await accept(order)
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  return orderIdOf(order)
}
async function forget(orderIds: OrderId[]): Promise<void> {
  const read = await forgetting.read(0, orderIds)
  const orders = read.flatMap((order) => (order && !(order instanceof Error) ? [order] : []))
  await forgetting.forget(0, { archiveId, version: 1, dueAt: 0, from: '0-0', to: '1-1', orders })
}
const known = () => connection.hgetall(archiveKey(0))

test('a damaged filter is replaced by a new one with all that was forgotten', async () => {
  const orderIds = [await concluded(), await concluded(), await concluded()]
  await forget(orderIds)
  await connection.del(forgottenKey(0, 1))
  await rebuilding.begin(0, 3)
  expect(await rebuilding.enter(0, orderIds)).toBe(3)
  expect(await rebuilding.enter(0, orderIds)).toBe(0)
  await rebuilding.swap(0)
  expect(await forgetting.mayHave(0, orderIds)).toEqual([true, true, true])
  expect(await known()).toMatchObject({ filters: '2:64:3', generation: '3' })
  expect(await known()).not.toHaveProperty('rebuilt')
})

test('what is forgotten meanwhile is in the old filters and the new ones', async () => {
  const [before, meanwhile] = [await concluded(), await concluded()]
  await forget([before])
  await rebuilding.begin(0, 1)
  expect(await rebuilding.enter(0, [before, meanwhile])).toBe(1)
  await forget([meanwhile])
  expect(await known()).toMatchObject({ filters: '1:64:2', rebuilt: '2:64:2' })
  expect(await forgetting.mayHave(0, [before, meanwhile])).toEqual([true, true])
  await rebuilding.swap(0)
  expect(await forgetting.mayHave(0, [before, meanwhile])).toEqual([true, true])
  expect(await connection.exists(forgottenKey(0, 1))).toBe(0)
})

test('the new filter has room for as many orders as are expected', async () => {
  await rebuilding.begin(0, 100)
  expect(await known()).toMatchObject({ rebuilt: '1:256:0' })
})

test('a rebuild that was not ended is begun anew', async () => {
  const orderId = await concluded()
  await forget([orderId])
  await rebuilding.begin(0, 1)
  await rebuilding.enter(0, [orderId])
  await rebuilding.begin(0, 1)
  expect(await known()).toMatchObject({ filters: '1:64:1', rebuilt: '2:64:0' })
  await rebuilding.enter(0, [orderId])
  await rebuilding.swap(0)
  expect(await forgetting.mayHave(0, [orderId])).toEqual([true])
})
