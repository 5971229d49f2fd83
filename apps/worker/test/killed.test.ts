import { randomUUID } from 'node:crypto'
import type { CodeRecord, MerchantRecord } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { Conclusion, Lookup, orderIdOf } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import type { ProcessDeps } from '../src/process-deps.ts'
import { processGroup } from '../src/process-group.ts'
import { openTestWorker } from './worker-store.ts'

const { store, deps, groupOf } = await openTestWorker()
const { policy } = deps.rulebook()

class Killed extends Error {
  override readonly name = 'Killed'
}

/**
 * The store of a worker that is killed at a moment: each call has two moments, before it is sent
 * and after it is done. A killed worker makes no more calls.
 */
function killedAt(
  moment: number,
  nodes: 'one node' | 'a Cluster',
): { store: ProcessDeps['store']; wasKilled: () => boolean } {
  let now = 0
  const live = () => {
    if (now++ >= moment) throw new Killed()
  }
  const dying = <T extends object>(part: T): T =>
    new Proxy(part, {
      get: (target, name) => {
        const call: unknown = Reflect.get(target, name)
        if (typeof call !== 'function') return call
        return async (...args: unknown[]) => {
          live()
          const done: unknown = await Reflect.apply(call, target, args)
          live()
          return done
        }
      },
    })
  const { directory, lookup, recent, requeue, deferral } = store
  const [orders, usage] = [dying(store.orders), dying(store.usage)]
  return {
    store: {
      orders,
      usage,
      conclusion:
        nodes === 'one node'
          ? dying(store.conclusion)
          : new Conclusion(
              store.connection,
              { usage, orders, durability: store.durability },
              false,
            ),
      lookup:
        nodes === 'one node'
          ? dying(lookup)
          : new Lookup(
              store.connection,
              { orders, directory: dying(directory), recent: dying(recent) },
              false,
            ),
      requeue: dying(requeue),
      deferral: dying(deferral),
    },
    wasKilled: () => now > moment,
  }
}

const topologies = ['one node', 'a Cluster'] as const

/**
 * A merchant whose daily limit allows two of three payments in CNY, and its order code, which two
 * orders use.
 */
async function fixture(): Promise<{ merchantId: string; orders: PlaceOrderRequest[] }> {
  const merchantId = `M-${randomUUID().slice(0, 8)}`
  const merchant: MerchantRecord = {
    merchantId,
    status: 'ACTIVE',
    kybLevel: 3,
    contracts: [
      {
        pspIds: ['*'],
        status: 'ACTIVE',
        from: '2020-01-01T00:00:00Z',
        codeTypes: ['ENTRY_CODE', 'ORDER_CODE'],
        currencies: ['CNY', 'JPY'],
      },
    ],
    limits: {
      merchantDay: [{ currency: 'CNY', amountMax: '200', countMax: 9 }],
      customerDay: [],
      perPayment: [],
    },
  }
  const entry: CodeRecord = {
    codeValue: `C-${merchantId}`,
    type: 'ENTRY_CODE',
    merchantId,
    status: 'OPEN',
  }
  const amount = { value: '7', currency: 'JPY' }
  const once: CodeRecord = { ...entry, codeValue: `O-${merchantId}`, type: 'ORDER_CODE', amount }
  await store.directory.put([merchant], [entry, once])
  const anOrder = (changes: Partial<PlaceOrderRequest>) =>
    aPlaceOrder({
      merchant: { referenceMerchantId: merchantId },
      customerId: randomUUID(),
      ...changes,
    })
  const orders = [entry, entry, entry].map(({ codeValue }) => anOrder({ codeValue }))
  const yen = { codeValue: once.codeValue, paymentAmount: amount, settlementAmount: amount }
  return { merchantId, orders: [...orders, anOrder(yen), anOrder(yen)] }
}

const outcomesOf = (orders: PlaceOrderRequest[]) =>
  Promise.all(orders.map((order) => store.orders.outcomeOf(orderIdOf(order))))

const usedBy = (id: string) =>
  store.usage.used({ subject: 'merchant', id, day: policy.dayOf(Date.now()), currency: 'CNY' })

test.each(topologies)(
  'with %s, a group whose worker is killed between any two steps is decided once',
  async (nodes) => {
    let moments = 0
    for (let killed = true; killed; moments += 1) {
      const { merchantId, orders } = await fixture()
      const group = await groupOf(...orders)
      const dying = killedAt(moments, nodes)
      await processGroup(group, { ...deps, store: dying.store }).catch((error) =>
        expect(error).toBeInstanceOf(Killed),
      )
      killed = dying.wasKilled()
      await processGroup(group, deps)
      const outcomes = await outcomesOf(orders)
      expect(outcomes.toSorted(), `killed at moment ${moments}`).toEqual([
        'ORDER_IS_CLOSED',
        'PAYMENT_AMOUNT_EXCEED_LIMIT',
        'SUCCESS',
        'SUCCESS',
        'SUCCESS',
      ])
      expect(await usedBy(merchantId)).toEqual({ amount: 200n, count: 2n })
      await processGroup(group, deps)
      expect(await outcomesOf(orders)).toEqual(outcomes)
      expect(await usedBy(merchantId)).toEqual({ amount: 200n, count: 2n })
    }
    // Before and after each step, and once without a kill.
    expect(moments).toBeGreaterThan(nodes === 'one node' ? 6 : 10)
  },
)

test.each(topologies)(
  'with %s, a policy change between two runs of a group changes no decision',
  async (nodes) => {
    const strict = {
      ...deps.rulebook(),
      policy: { ...policy, kyb: { levelMin: 9, tiersOf: new Map() } },
    }
    for (let moment = 0, killed = true; killed; moment += 1) {
      const { merchantId, orders } = await fixture()
      const group = await groupOf(...orders)
      const dying = killedAt(moment, nodes)
      await processGroup(group, { ...deps, store: dying.store }).catch(() => {})
      killed = dying.wasKilled()
      await processGroup(group, { ...deps, rulebook: () => strict })
      const outcomes = await outcomesOf(orders)
      const placed = outcomes.slice(0, 3).filter((code) => code === 'SUCCESS').length
      expect([0, 2]).toContain(placed)
      expect(outcomes.filter((code) => code === 'MERCHANT_KYB_NOT_QUALIFIED')).toHaveLength(
        placed === 0 ? 5 : 0,
      )
      expect(await usedBy(merchantId)).toEqual({
        amount: BigInt(100 * placed),
        count: BigInt(placed),
      })
    }
  },
)
