import { randomUUID } from 'node:crypto'
import { CodeRecord } from '@placeorder/decision'
import { aPlaceOrder } from '@placeorder/testkit'
import { describe, expect, test } from 'vitest'
import type { JudgedOrder } from '../src/decide/limit-usage.ts'
import { type OrderNames, orderIdOf, shardOf } from '../src/keys.ts'
import { Acquirers } from '../src/orders/acquirers.ts'
import { openTestStore } from './test-store.ts'

const SHARDS = 2
const { ingress, worker, accept, connection } = await openTestStore({ shards: SHARDS, own: true })
const run = randomUUID().slice(0, 8)

const namesOfBoth: [string, OrderNames, OrderNames][] = [
  ['have one paymentId', ['A', 'P'], ['B', 'P']],
  ['read alike when joined', ['A', 'B:P'], ['A:B', 'P']],
  ['read alike when escaped', [':', 'P'], ['%3A', 'P']],
  ['hold a space', ['A', 'B P'], ['A B', 'P']],
  ['hold a line break', ['A', 'B\nP'], ['A\nB', 'P']],
  ['hold braces', ['{s0}', 'P'], ['{s1}', 'P']],
  ['look like a key', ['A', ':order:P'], ['A:order', 'P']],
  ['hold a NUL', ['A', '\0P'], ['A\0', 'P']],
  ['are those of prototypes', ['__proto__', 'constructor'], ['constructor', '__proto__']],
].map(([what, one, other]) => {
  const named = ([acquirerId = '', paymentId = '']: string[] | string = []) => ({
    acquirerId,
    paymentId: `${paymentId}-${run}`,
  })
  return [String(what), named(one), named(other)]
})

const judged = (
  names: OrderNames,
  judged: JudgedOrder['judged'],
  orderCode?: string,
): JudgedOrder => ({
  orderId: orderIdOf(names),
  claimedAt: Date.now(),
  judged,
  limitUses: [],
  orderCode,
})

describe.each(namesOfBoth)('two orders whose ids %s', (_what, one, other) => {
  const orders = [aPlaceOrder(one), aPlaceOrder(other)] as const
  const [oneId, otherId] = [orderIdOf(one), orderIdOf(other)]

  test('are two, each with its own outcome, announced to who waits for it', async () => {
    const outcomes = await Promise.all(
      [[orders[0], 'SUCCESS'] as const, [orders[1], 'RISK_REJECT'] as const].map(
        async ([order, outcome]) => {
          const [id, signal] = [orderIdOf(order), AbortSignal.timeout(5_000)]
          return ingress.orders.during(id, signal, async (announced) => {
            expect(await accept(order)).toMatchObject({ repeated: false })
            const shard = shardOf(id, SHARDS)
            expect(await worker.orders.open(shard, Date.now() + 60_000, 100)).toContain(id)
            await worker.orders.conclude(id, outcome)
            return announced
          })
        },
      ),
    )
    expect(outcomes).toEqual(['SUCCESS', 'RISK_REJECT'])
    expect(await worker.orders.record(oneId)).toMatchObject({
      order: orders[0],
      outcome: 'SUCCESS',
    })
    expect(await worker.orders.record(otherId)).toMatchObject({
      order: orders[1],
      outcome: 'RISK_REJECT',
    })
  })

  test('are decided each by itself', async () => {
    const openAsOf = await worker.usage.time()
    expect(await worker.usage.decide([judged(one, 'RISK_REJECT')], openAsOf)).toEqual([
      'RISK_REJECT',
    ])
    expect(await worker.usage.decide([judged(other, 'SUCCESS')], openAsOf)).toEqual(['SUCCESS'])
  })

  test('do not share an order code', async () => {
    const codeValue = randomUUID()
    const claimedAt = Date.now() - 120_000 // Another minute's decisions than those above.
    const decide = async (names: OrderNames) => {
      const order = { ...judged(names, 'SUCCESS', codeValue), claimedAt }
      return worker.usage.decide([order], await worker.usage.time())
    }
    const code = { codeValue, type: 'ORDER_CODE', merchantId: 'M', status: 'OPEN' }
    const amount = { value: '1', currency: 'CNY' }
    await worker.directory.put([], [CodeRecord.parse({ ...code, amount })])
    expect(await decide(one)).toEqual(['SUCCESS'])
    expect(await decide(other)).toEqual(['ORDER_IS_CLOSED'])
    expect(await worker.directory.holder(codeValue)).toBe(oneId)
  })

  test('count as two among recent orders', async () => {
    const codeValue = randomUUID()
    const claimedAt = Date.now()
    const counted = orders.map((order) => ({ order: { ...order, codeValue }, claimedAt }))
    const recent = await worker.recent.count(counted, ['codeOrders1h'])
    expect(recent.map(({ codeOrders1h }) => codeOrders1h)).toEqual([1, 1])
  })

  test('are abandoned each by itself', async () => {
    await worker.orders.noteAbandoned(oneId, 1_000)
    expect(await worker.orders.abandonedAt(oneId)).toBe(1_000)
    expect(await worker.orders.abandonedAt(otherId)).toBeUndefined()
  })
})

test('an order is found by its paymentId alone, whatever its acquirer', async () => {
  const acquirers = new Acquirers(connection, SHARDS)
  const paymentId = randomUUID()
  expect(await acquirers.ordersOf(paymentId)).toEqual([])
  for (const acquirerId of ['A:1', 'B 2']) await accept(aPlaceOrder({ acquirerId, paymentId }))
  await accept(aPlaceOrder({ acquirerId: 'C' }))
  expect(await acquirers.ordersOf(paymentId)).toEqual(
    ['A:1', 'B 2'].map((acquirerId) => orderIdOf({ acquirerId, paymentId })),
  )
})

test('an acquirer is noted once by a process, and again when that failed', async () => {
  const calls: string[][] = []
  let isDown = true
  const acquirers = new Acquirers(
    Object.assign(Object.create(connection), {
      sadd: async (...args: string[]) => {
        if (isDown) throw new Error('down')
        calls.push(args)
        return 1
      },
    }),
    SHARDS,
  )
  const order = aPlaceOrder()
  await expect(acquirers.note([order])).rejects.toThrow('down')
  isDown = false
  for (let n = 0; n < 3; n += 1) await acquirers.note([order, order])
  expect(calls).toEqual([['placeorder:acquirers', order.acquirerId]])
})
