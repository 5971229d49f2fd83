import { readFile } from 'node:fs/promises'
import { compilePolicy, judge, limitUses, Policy, recentUsed } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import {
  connect,
  Directory,
  digestOf,
  LimitUsage,
  namesOf,
  type Outcome,
  orderIdOf,
  RecentOrders,
} from '@placeorder/store'

/**
 * Decides one order as our worker decides a group: the same look-ups, the same ladder of rules, the
 * same script for limits and codes, the same records of recent orders. It decides each order alone.
 */
export async function openDecideOne(
  redisUrl: string,
  policyFile: string,
): Promise<(order: PlaceOrderRequest, claimedAt: number) => Promise<Outcome>> {
  const connection = connect(
    { urls: [redisUrl], cluster: false, sentinels: [], sentinelName: '' },
    'patient',
  )
  const directory = new Directory(connection, 1)
  const recentOrders = new RecentOrders(connection, 1)
  const limits = new LimitUsage(connection)
  const policy = compilePolicy(Policy.parse(JSON.parse(await readFile(policyFile, 'utf8'))))
  return async (order, claimedAt) => {
    const { codeValue } = order
    const digest = digestOf(codeValue)
    const merchantId = order.merchant.referenceMerchantId
    const openAsOf = await limits.time() // Reads Redis's clock once a second.
    const [found, [recent]] = await Promise.all([
      directory.find([merchantId], [digest]),
      recentOrders.count([{ order, claimedAt }], recentUsed(policy)),
    ])
    const merchant = found.merchants.get(merchantId)
    const code = found.codes.get(digest)
    if (recent === undefined || merchant instanceof Error || code instanceof Error)
      throw new Error("the benchmark's directory cannot be read")
    const holder = found.holders.get(digest)
    const facts = {
      order,
      clientId: '',
      claimedAt,
      merchant,
      code,
      codeHeldBy: holder === undefined ? undefined : namesOf(holder),
      recent,
    }
    const judged = judge(facts, policy)
    const passed = judged === 'SUCCESS'
    const judgement = {
      orderId: orderIdOf(order),
      claimedAt,
      judged,
      limitUses: passed ? limitUses(facts, policy) : [],
      orderCode: passed && code?.type === 'ORDER_CODE' ? codeValue : undefined,
    }
    const [decided = judged] = await limits.decide([judgement], openAsOf)
    if (decided instanceof Error) throw decided
    return decided
  }
}
