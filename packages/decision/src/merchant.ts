import { type FinalCode, isMoreThan, type PlaceOrderRequest } from '@placeorder/protocol'
import type { JudgingPolicy } from './compile-policy.ts'
import type { Facts } from './facts.ts'

/**
 * Whether this merchant may accept the payment: it is registered, active, and qualified (KYB) for
 * the amount. The first code that applies is the result.
 */
export function judgeMerchant(
  { order, merchant }: Facts,
  policy: Pick<JudgingPolicy, 'kyb'>,
): FinalCode {
  if (merchant === undefined) return 'MERCHANT_NOT_REGISTERED'
  if (merchant.status !== 'ACTIVE') return 'INVALID_MERCHANT_STATUS'
  if (merchant.kybLevel < kybLevelMin(order, policy.kyb)) return 'MERCHANT_KYB_NOT_QUALIFIED'
  return 'SUCCESS'
}

/**
 * The KYB level that the amount requires: the highest of the general one and of the tiers of its
 * currency that it exceeds.
 */
function kybLevelMin(order: PlaceOrderRequest, kyb: JudgingPolicy['kyb']): number {
  let levelMin = kyb.levelMin
  for (const tier of kyb.tiersOf.get(order.paymentAmount.currency) ?? []) {
    if (isMoreThan(order.paymentAmount, tier.above)) levelMin = Math.max(levelMin, tier.levelMin)
  }
  return levelMin
}
