import {
  compilePolicy,
  type Facts,
  type JudgingPolicy,
  judge,
  Policy,
  recentCounters,
} from '@placeorder/decision'
import { PlaceOrderRequest } from '@placeorder/protocol'
import { benchDirectory, bodyAt, policyFile } from '../orders/order-at.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import type { TestBed } from '../test-bed/test-bed.ts'

const ORDERS = 1_000
const TIMES = 100

/** Measures judging without any fetching: the whole ladder with ten rules, and without rules. */
export async function rules(testBed: TestBed): Promise<Benchmark> {
  const ten = compilePolicy(Policy.parse(policyFile))
  const none = compilePolicy(Policy.parse({ ...policyFile, risk: [] }))
  const facts = someFacts()
  const withRules: number[] = []
  const without: number[] = []
  for (let round = 0; round <= testBed.plan.rounds; round += 1) {
    const [one, other] = [judgingUs(facts, ten), judgingUs(facts, none)]
    if (round === 0) continue // It lets V8 compile the hot code.
    withRules.push(one)
    without.push(other)
  }
  return {
    name: 'rules',
    title: 'Judging orders, without fetching',
    metrics: [
      {
        what: 'ten CEL rules, per order',
        unit: 'µs',
        rounds: roundsOf(withRules.map((us, i) => us - (without[i] ?? Number.NaN))),
      },
      { what: 'the ladder with ten rules, per order', unit: 'µs', rounds: roundsOf(withRules) },
      { what: 'the ladder without rules, per order', unit: 'µs', rounds: roundsOf(without) },
    ],
  }
}

function judgingUs(facts: readonly Facts[], policy: JudgingPolicy): number {
  const startedAt = performance.now()
  for (let time = 0; time < TIMES; time += 1) {
    for (const one of facts)
      if (judge(one, policy) !== 'SUCCESS')
        throw new Error('an order of the benchmark was not judged SUCCESS')
  }
  return (1_000 * (performance.now() - startedAt)) / (TIMES * facts.length)
}

function someFacts(): Facts[] {
  const { merchants, codes } = benchDirectory()
  const merchantOf = new Map(merchants.map((merchant) => [merchant.merchantId, merchant]))
  const codeOf = new Map(codes.map((code) => [code.codeValue, code]))
  const recent = Object.fromEntries(
    recentCounters.map((counter) => [counter, 1]),
  ) as Facts['recent']
  return Array.from({ length: ORDERS }, (_, at) => {
    const order = PlaceOrderRequest.parse(JSON.parse(bodyAt(at)))
    const merchant = merchantOf.get(order.merchant.referenceMerchantId)
    return {
      order,
      clientId: '',
      claimedAt: Date.now(),
      merchant,
      code: codeOf.get(order.codeValue),
      codeHeldBy: undefined,
      recent,
    }
  })
}
