import type { PlaceOrderRequest } from '@placeorder/protocol'
import { termsOf } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addFilter, archiveId, forget } from '../../test/forget.ts'
import { openTestStore } from '../../test/test-store.ts'
import { archiveKey, forgottenKey, type OrderId, openKey, orderIdOf, orderKey } from '../keys.ts'
import { type IngressStore, openIngressStore } from '../open-ingress-store.ts'
import type { ArchivedOrder, MaybeForgotten, Recalled } from '../outbox/archived-orders.ts'
import { BITS, bitsOf, Filters, noFilters } from '../outbox/filters.ts'
import type { Accepted } from './accepted.ts'
import { Claims } from './claims.ts'

const { address, worker, connection } = await openTestStore({ own: true })

// The archive as these tests want it, and what it was asked for.
let asked: MaybeForgotten[] = []
let answer: (orderId: OrderId) => Recalled | Promise<Recalled>
let ingress: IngressStore
const options = { address, shards: 1, onFault: () => {}, waitMs: 100 }
beforeEach(async () => {
  await connection.flushall()
  asked = []
  answer = () => ({ kind: 'ABSENT' })
  ingress = await openIngressStore({
    ...options,
    recall: async (forgotten) => {
      asked.push(forgotten)
      return Promise.all(forgotten.orderIds.map(answer))
    },
  })
})
afterEach(() => ingress.close())

const accept = (order: PlaceOrderRequest, store: IngressStore = ingress): Promise<Accepted> =>
  store.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
const archived = (order: PlaceOrderRequest): ArchivedOrder => ({
  paymentRequestId: 'R-1',
  terms: termsOf(order),
  outcome: 'SUCCESS {"a":"b"}',
  pspId: order.pspId,
  claimedAt: 1_000,
  concludedAt: 2_000,
})
const found = (order: PlaceOrderRequest): Recalled => ({ kind: 'FOUND', order: archived(order) })
const isStored = async (order: PlaceOrderRequest) =>
  (await connection.exists(orderKey(0, orderIdOf(order)))) === 1

/** An order that was forgotten. */
async function forgotten(): Promise<PlaceOrderRequest> {
  const order = aPlaceOrder()
  await addFilter(connection)
  await forget(connection, [orderIdOf(order)])
  return order
}

describe('a repeat of a forgotten order', () => {
  test('gets the archived outcome, and nothing is stored', async () => {
    const order = await forgotten()
    answer = () => found(order)
    expect(await accept(order)).toEqual({
      kind: 'CONCLUDED',
      paymentRequestId: 'R-1',
      outcome: 'SUCCESS {"a":"b"}',
      archived: true,
    })
    expect(asked).toEqual([{ shard: 0, orderIds: [orderIdOf(order)], archiveId, version: 7 }])
    expect(await isStored(order)).toBe(false)
    expect(await connection.zcard(openKey(0))).toBe(0)
  })

  test('with other terms is inconsistent', async () => {
    const order = await forgotten()
    answer = () => found(order)
    const other = { ...order, paymentAmount: { value: '101', currency: 'CNY' } }
    expect(await accept(other)).toEqual({ kind: 'INCONSISTENT', archived: true })
  })

  test('is not answered by a row that cannot be read', async () => {
    const order = await forgotten()
    answer = () => ({ kind: 'FOUND', order: { ...archived(order), outcome: 'NEWER_CODE' } })
    await expect(accept(order)).rejects.toThrow('cannot be read')
  })

  test.each(['NOT_BELIEVED', 'NO_ANSWER'] as const)(
    'is unknown and not stored if the archive says %s',
    async (kind) => {
      const order = await forgotten()
      answer = () => ({ kind, reason: 'because' })
      await expect(accept(order)).rejects.toThrow('because')
      expect(await isStored(order)).toBe(false)
    },
  )

  test('is unknown to an ingress without an archive', async () => {
    const order = await forgotten()
    const without = await openIngressStore(options)
    await expect(accept(order, without)).rejects.toThrow('ARCHIVE_URL')
    expect(await isStored(order)).toBe(false)
    await without.close()
  })
})

describe('an order that only seems to be forgotten', () => {
  test('is claimed after all, with a job', async () => {
    const order = await forgotten()
    expect(await accept(order)).toMatchObject({ kind: 'OPEN', repeated: false })
    const { jobId = '' } = (await worker.orders.record(orderIdOf(order))) ?? {}
    await expect
      .poll(async () => (await worker.queues.queue(0).getJob(jobId))?.data.orderIds)
      .toContain(orderIdOf(order))
  })

  test('is claimed once, however many copies come at once', async () => {
    const order = await forgotten()
    const all = await Promise.all(Array.from({ length: 20 }, () => accept(order)))
    expect(all.filter((one) => one.kind === 'OPEN' && !one.repeated)).toHaveLength(1)
  })

  test('is asked for in one look-up with the others of its group', async () => {
    const orders = Array.from({ length: 20 }, () => aPlaceOrder())
    await addFilter(connection)
    await forget(connection, orders.map(orderIdOf))
    await Promise.all([aPlaceOrder(), ...orders].map((order) => accept(order)))
    expect(asked.length).toBeLessThan(4)
    expect(new Set(asked.flatMap(({ orderIds }) => orderIds))).toEqual(
      new Set(orders.map(orderIdOf)),
    )
  })

  test.each([
    ['61 s ago', -61_000, 'too long ago'],
    ['59 s ago', -59_000, 'NEW'],
    ['in the future', 5_000, 'too long ago'],
  ])('is claimed within a minute of the look that found it: %s', async (_, ms, expected) => {
    const order = await forgotten()
    const claimed = await new Claims(connection)
      .claim({
        shard: 0,
        channel: '{s0}:ingress:test',
        jobId: 'J-1',
        filters: noFilters,
        orders: [{ orderId: orderIdOf(order), order, clientId: 'C-1' }],
        notFoundAt: String(Number((await connection.time())[0]) * 1_000 + ms),
      })
      .then((group) => (group === 'STALE' ? group : group.claims[0]?.state), String)
    expect(claimed).toContain(expected)
    expect(await isStored(order)).toBe(expected === 'NEW')
  })
})

test('a new order does not wait for the archive to answer for its group', async () => {
  const [old, fresh] = [await forgotten(), aPlaceOrder()]
  const silent = Promise.withResolvers<Recalled>()
  answer = () => silent.promise
  const waiting = accept(old)
  expect(await accept(fresh)).toMatchObject({ kind: 'OPEN', repeated: false })
  for (let n = 0; n < 3; n += 1) expect(await accept(aPlaceOrder())).toMatchObject({ kind: 'OPEN' })
  silent.resolve(found(old))
  expect(await waiting).toMatchObject({ kind: 'CONCLUDED' })
  expect(asked.flatMap(({ orderIds }) => orderIds)).toEqual([orderIdOf(old)])
})

describe('an ingress that has an older list of filters', () => {
  test('claims nothing by it', async () => {
    await accept(aPlaceOrder()) // It knows that there are no filters.
    const order = await forgotten()
    answer = () => found(order)
    expect(await accept(order)).toMatchObject({ kind: 'CONCLUDED' })
  })

  test('asks a filter that was added', async () => {
    const first = await forgotten()
    answer = () => found(first)
    await accept(first)
    const second = await forgotten() // Into the next filter.
    answer = () => found(second)
    expect(await accept(second)).toMatchObject({ kind: 'CONCLUDED' })
    answer = () => found(first)
    expect(await accept(first)).toMatchObject({ kind: 'CONCLUDED' })
  })
})

describe('no order is claimed', () => {
  test.each([
    ['is missing', () => connection.del(forgottenKey(0, 1))],
    ['was cut', () => connection.set(forgottenKey(0, 1), 'short')],
  ])('while a filter %s', async (_, damage) => {
    const order = await forgotten()
    await accept(aPlaceOrder())
    await damage()
    await expect(accept(order)).rejects.toThrow('is missing or was cut')
    await expect(accept(aPlaceOrder())).rejects.toThrow('is missing or was cut')
    expect(await isStored(order)).toBe(false)
  })

  test('once Redis has older filters than it had', async () => {
    const order = await forgotten()
    await accept(aPlaceOrder())
    await connection.del(archiveKey(0))
    await expect(accept(order)).rejects.toThrow('older than they were')
  })
})

test('each bit of an order counts: without any of them it is a new one', async () => {
  for (let n = 0; n < BITS; n += 1) {
    const order = await forgotten()
    answer = () => found(order)
    expect(await accept(order)).toMatchObject({ kind: 'CONCLUDED' })
    const filter = (await new Filters(connection).read(0)).filters.at(-1)
    const bit = bitsOf(orderIdOf(order), filter?.bytes ?? 0)[n] ?? 0
    await connection.setbit(forgottenKey(0, filter?.n ?? 0), bit, 0)
    expect(await accept(order), `bit ${n}`).toMatchObject({ kind: 'OPEN' })
  }
})

describe('an order is found', () => {
  test('in Redis without asking the archive', async () => {
    await forgotten()
    const order = aPlaceOrder()
    await accept(order)
    expect(await ingress.finder.find(orderIdOf(order))).toMatchObject({
      archived: false,
      pspId: order.pspId,
      state: { paymentId: order.paymentId, order: { paymentAmount: order.paymentAmount } },
    })
    expect(asked).toEqual([])
  })

  test('in the archive with all that an inquiry is answered with', async () => {
    const order = await forgotten()
    answer = () => found(order)
    expect(await ingress.finder.find(orderIdOf(order))).toEqual({
      archived: true,
      pspId: order.pspId,
      state: {
        paymentId: order.paymentId,
        paymentRequestId: 'R-1',
        order: { paymentAmount: order.paymentAmount, settlementAmount: order.settlementAmount },
        claimedAt: 1_000,
        outcome: 'SUCCESS',
        passThroughInfo: '{"a":"b"}',
        concludedAt: 2_000,
      },
    })
  })

  test('not at all if it was never claimed, without asking the archive', async () => {
    await forgotten()
    expect(await ingress.finder.find(orderIdOf(aPlaceOrder()))).toBeUndefined()
    expect(asked).toEqual([])
  })

  test('not at all if it only seemed to be forgotten', async () => {
    expect(await ingress.finder.find(orderIdOf(await forgotten()))).toBeUndefined()
    expect(asked).toHaveLength(1)
  })

  test('with a list of filters that has changed meanwhile', async () => {
    await ingress.finder.find(orderIdOf(aPlaceOrder()))
    const order = await forgotten()
    answer = () => found(order)
    expect(await ingress.finder.find(orderIdOf(order))).toMatchObject({ archived: true })
  })

  test('or not known if the archive does not answer', async () => {
    const order = await forgotten()
    answer = () => ({ kind: 'NO_ANSWER', reason: 'away' })
    await expect(ingress.finder.find(orderIdOf(order))).rejects.toThrow('away')
  })
})
