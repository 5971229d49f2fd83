import { randomUUID } from 'node:crypto'
import {
  compilePolicy,
  judgePerPayment,
  LIMIT_AMOUNT_MAX,
  type LimitUse,
  limitUses,
  MerchantRecord,
  Policy,
  type Recent,
  recentCounters,
} from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { orderIdOf } from '../keys.ts'
import type { JudgedOrder } from './limit-usage.ts'

const { worker } = await openTestStore()
const { usage } = worker
const decide = async (orders: JudgedOrder[]) => usage.decide(orders, await usage.time())

/** What decides in memory, one order after the other, with whole numbers of any size. */
function inMemory() {
  const used = new Map<string, { amount: bigint; count: bigint }>()
  const of = ({ subject, id, currency }: Pick<LimitUse, 'subject' | 'id' | 'currency'>) => {
    const key = `${subject} ${id} ${currency}`
    return (
      used.get(key) ??
      used.set(key, { amount: 0n, count: 0n }).get(key) ?? { amount: 0n, count: 0n }
    )
  }
  const decide = ({ judged, limitUses }: JudgedOrder): FinalCode => {
    if (judged !== 'SUCCESS') return judged
    const passes = (fits: (taking: LimitUse) => boolean) => limitUses.every(fits)
    if (!passes((t) => t.amountMax === undefined || of(t).amount + t.amount <= t.amountMax))
      return 'PAYMENT_AMOUNT_EXCEED_LIMIT'
    if (!passes((t) => t.countMax === undefined || of(t).count < t.countMax))
      return 'PAYMENT_COUNT_EXCEED_LIMIT'
    for (const taking of limitUses) {
      of(taking).amount += taking.amount
      of(taking).count += 1n
    }
    return 'SUCCESS'
  }
  return { decide, of }
}

const currencies = ['CNY', 'JPY'] as const
const names = ['A', 'B', 'C'] as const
type Name = (typeof names)[number]
const aLimit = fc
  .record(
    {
      currency: fc.constantFrom(...currencies),
      amountMax: fc
        .oneof(fc.bigInt(0n, 500n), fc.bigInt(LIMIT_AMOUNT_MAX - 500n, LIMIT_AMOUNT_MAX))
        .map(String),
      countMax: fc.integer({ min: 0, max: 12 }),
    },
    { requiredKeys: ['currency'] },
  )
  .filter(({ amountMax, countMax }) => amountMax !== undefined || countMax !== undefined)
const limitList = fc.uniqueArray(aLimit, { selector: ({ currency }) => currency, maxLength: 2 })
const ownLimits = fc.option(
  fc.record({ merchantDay: limitList, customerDay: limitList, perPayment: fc.constant([]) }),
  {
    nil: undefined,
  },
)
const anOrder = fc.record({
  merchant: fc.constantFrom(...names),
  customer: fc.option(fc.constantFrom(...names), { nil: undefined }),
  currency: fc.constantFrom(...currencies),
  amount: fc.oneof(
    { weight: 3, arbitrary: fc.bigInt(1n, 200n) },
    fc.bigInt(LIMIT_AMOUNT_MAX / 2n - 100n, LIMIT_AMOUNT_MAX / 2n + 100n),
    fc.bigInt(2n ** 53n - 2n, 2n ** 53n + 2n),
  ),
})

/** Re-runs as groups: each names orders by their place, any number of times, in any order. */
const reRuns = fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 20 }), { maxLength: 12 })

const situations = fc.record({
  merchantDay: limitList,
  customerDay: limitList,
  own: fc.record({ A: ownLimits, B: ownLimits, C: ownLimits }),
  orders: fc.array(anOrder, { minLength: 1, maxLength: 40 }),
  runs: reRuns,
})
type Situation = typeof situations extends fc.Arbitrary<infer S> ? S : never

const noneRecent = Object.fromEntries(recentCounters.map((counter) => [counter, 0])) as Recent

/**
 * The orders of a situation as they are judged, with merchants and customers that nobody used
 * before.
 */
function judgedIn({ merchantDay, customerDay, own, orders }: Situation): JudgedOrder[] {
  const claimedAt = Date.now()
  const run = randomUUID().slice(0, 8)
  const nameOf = (name: Name) => `${name}-${run}`
  const policy = compilePolicy(
    Policy.parse({ kyb: { levelMin: 0 }, limits: { timeZone: 'UTC', merchantDay, customerDay } }),
  )
  return orders.map(({ merchant, customer, currency, amount }) => {
    const { customerId: _, ...order } = aPlaceOrder({
      paymentAmount: { value: String(amount), currency },
      merchant: { referenceMerchantId: nameOf(merchant) },
    })
    const facts = {
      order: customer === undefined ? order : { ...order, customerId: nameOf(customer) },
      clientId: 'C-1',
      claimedAt,
      merchant: MerchantRecord.parse({
        merchantId: nameOf(merchant),
        status: 'ACTIVE',
        kybLevel: 1,
        contracts: [],
        limits: own[merchant],
      }),
      code: undefined,
      codeHeldBy: undefined,
      recent: noneRecent,
    }
    const judged = judgePerPayment(facts, policy)
    return {
      orderId: orderIdOf(order),
      claimedAt,
      judged,
      limitUses: judged === 'SUCCESS' ? limitUses(facts, policy) : [],
      orderCode: undefined,
    }
  })
}

test('counters are the sum of the placed orders, however often and when they run', async () => {
  await fc.assert(
    fc.asyncProperty(situations, async (situation) => {
      const orders = judgedIn(situation)
      const some = situation.runs.map((places) =>
        places.flatMap((at) => orders[at % orders.length] ?? []),
      )
      const expected = inMemory()
      const standing = new Map<string, FinalCode>()
      for (const group of [...some, orders, ...some.reverse()]) {
        for (const order of group) {
          if (!standing.has(order.orderId)) standing.set(order.orderId, expected.decide(order))
        }
        expect(await decide(group)).toEqual(group.map(({ orderId }) => standing.get(orderId)))
      }
      for (const taking of orders.flatMap((order) => order.limitUses)) {
        const placed = orders
          .filter(({ orderId }) => standing.get(orderId) === 'SUCCESS')
          .flatMap((order) => order.limitUses.filter((other) => isOfSameLimit(other, taking)))
        expect(await usage.used(taking)).toEqual({
          amount: placed.reduce((sum, { amount }) => sum + amount, 0n),
          count: BigInt(placed.length),
        })
      }
    }),
    { numRuns: 60 },
  )
})

test('orders run at once by many workers are each placed once and exceed no limit', async () => {
  await fc.assert(
    fc.asyncProperty(situations, async (situation) => {
      const orders = judgedIn(situation)
      const groups = [
        orders,
        orders.toReversed(),
        ...situation.runs.map((places) => places.flatMap((at) => orders[at % orders.length] ?? [])),
      ]
      await Promise.all(groups.map((group) => decide(group)))
      const standing = await decide(orders)
      for (const taking of orders.flatMap((order) => order.limitUses)) {
        const placed = orders.flatMap((order, i) =>
          standing[i] === 'SUCCESS'
            ? order.limitUses.filter((other) => isOfSameLimit(other, taking))
            : [],
        )
        const amount = placed.reduce((sum, other) => sum + other.amount, 0n)
        expect(await usage.used(taking)).toEqual({ amount, count: BigInt(placed.length) })
        // A customer's day may be worth more at one merchant than at another: the last order was
        // within its own limit.
        if (placed.length === 0) continue
        expect(placed.some(({ amountMax = amount }) => amount <= amountMax)).toBe(true)
        expect(placed.some(({ countMax = placed.length }) => placed.length <= countMax)).toBe(true)
      }
    }),
    { numRuns: 30 },
  )
})

const isOfSameLimit = (one: LimitUse, other: LimitUse) =>
  one.subject === other.subject && one.id === other.id && one.currency === other.currency
