import { compilePolicy, type Facts, limitUses, Policy, recentCounters } from '@placeorder/decision'
import { PlaceOrderRequest } from '@placeorder/protocol'
import { connect, disconnect, type JudgedOrder, LimitUsage, orderIdOf } from '@placeorder/store'
import { bodyAt, policyFile } from '../orders/order-at.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { startRedis } from '../test-bed/redis.ts'
import type { TestBed } from '../test-bed/test-bed.ts'
import { usageOf } from '../test-bed/usage-of.ts'

const noneRecent = Object.fromEntries(
  recentCounters.map((counter) => [counter, 0]),
) as Facts['recent']

const GROUPS = [1, 16, 64] as const

/** Groups in flight at once: enough to keep Redis busy. */
const IN_FLIGHT = 8

/**
 * Measures the one slot that cannot be divided: limits, order codes and decisions of all shards.
 * What an order costs the node that owns it bounds how many orders a second can be decided.
 */
export async function slot(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const redis = await startRedis(testBed.dir, 'slot')
  stack.defer(redis.close)
  const connection = connect(redis.address, 'patient')
  stack.defer(() => disconnect(connection))
  const limits = new LimitUsage(connection)
  const policy = compilePolicy(Policy.parse(policyFile))
  let next = 0
  const judged = (): JudgedOrder => {
    const order = PlaceOrderRequest.parse(JSON.parse(bodyAt(next++)))
    const claimedAt = Date.now()
    const none = { merchant: undefined, code: undefined, codeHeldBy: undefined }
    const facts = { order, clientId: '', claimedAt, ...none, recent: noneRecent }
    return {
      orderId: orderIdOf(order),
      claimedAt,
      judged: 'SUCCESS',
      limitUses: limitUses(facts, policy),
      orderCode: undefined,
    }
  }
  const costs = new Map<number, number[]>(GROUPS.map((size) => [size, []]))
  for (let round = 0; round <= testBed.plan.rounds; round += 1) {
    for (const size of GROUPS) {
      const us = await costUs(testBed, redis.pid, limits, size, judged)
      if (round > 0) costs.get(size)?.push(us) // In the first one V8 compiles the hot code.
    }
    testBed.say(`slot, round ${round} of ${testBed.plan.rounds}`)
  }
  return {
    name: 'slot',
    title: 'The slot that limits, order codes and decisions share',
    metrics: GROUPS.flatMap((size) => {
      const us = costs.get(size) ?? []
      return [
        { what: `CPU per order, groups of ${size}`, unit: 'µs', rounds: roundsOf(us) },
        {
          what: `saturated at, groups of ${size}`,
          unit: 'orders/s',
          rounds: roundsOf(us.map((one) => 1_000_000 / one)),
        },
      ]
    }),
  }
}

/** Decides groups for one round; resolves with Redis's CPU time per order (µs). */
async function costUs(
  { plan }: TestBed,
  pid: number,
  limits: LimitUsage,
  size: number,
  judged: () => JudgedOrder,
): Promise<number> {
  const until = performance.now() + 1_000 * plan.seconds
  const before = await usageOf(pid)
  let orders = 0
  const work = async () => {
    while (performance.now() < until) {
      const openAsOf = await limits.time()
      const group = Array.from({ length: size }, judged)
      await limits.decide(group, openAsOf)
      orders += size
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, work))
  const after = await usageOf(pid)
  return (1_000 * ((after?.cpuMs ?? Number.NaN) - (before?.cpuMs ?? Number.NaN))) / orders
}
