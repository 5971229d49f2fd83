import {
  type FinalCode,
  isMoreThan,
  type PlaceOrderRequest,
  smallestUnits,
} from '@placeorder/protocol'
import type { CurrencyLimit, JudgingPolicy } from './compile-policy.ts'
import type { Facts } from './facts.ts'
import type { MerchantRecord } from './records.ts'

/** What an order uses of a day's limit of its merchant or customer. */
export type LimitUse = {
  subject: 'merchant' | 'customer'
  /** The merchant's or the customer's id, in clear. */
  id: string
  currency: string
  /** The day of the claim in the limits' time zone, yyyymmdd. */
  day: string
  /** In smallest units of `currency`; never more than `amountMax`. */
  amount: bigint
  /** The most that may be placed that day, in smallest units; undefined: any amount. */
  amountMax: bigint | undefined
  /** The most orders that may be placed that day; undefined: any number. */
  countMax: number | undefined
}

type LimitsPolicy = Pick<JudgingPolicy, 'limits' | 'dayOf'>

/**
 * Whether this payment alone exceeds the limit per payment, or a whole day's limit. An amount equal
 * to the limit is allowed.
 */
export function judgePerPayment({ order, merchant }: Facts, policy: LimitsPolicy): FinalCode {
  const perPayment = limitOf('perPayment', order, merchant, policy)
  const limits = [perPayment, ...dayLimitsOf(order, merchant, policy).map(({ limit }) => limit)]
  const isOver = (limit: CurrencyLimit | undefined) =>
    limit?.amountMax !== undefined && isMoreThan(order.paymentAmount, limit.amountMax)
  return limits.some(isOver) ? 'PAYMENT_AMOUNT_EXCEED_LIMIT' : 'SUCCESS'
}

/**
 * The day limits that an order uses if it passed the ladder: its merchant's, and its customer's if
 * the request names one. Empty if there is no limit for the payment currency.
 */
export function limitUses({ order, merchant, claimedAt }: Facts, policy: LimitsPolicy): LimitUse[] {
  const { currency } = order.paymentAmount
  return dayLimitsOf(order, merchant, policy).map(({ subject, id, limit }) => {
    const amount = smallestUnits(order.paymentAmount)
    return { subject, id, currency, day: policy.dayOf(claimedAt), amount, ...limit }
  })
}

function dayLimitsOf(
  order: PlaceOrderRequest,
  merchant: MerchantRecord | undefined,
  policy: LimitsPolicy,
): { subject: LimitUse['subject']; id: string; limit: CurrencyLimit }[] {
  const ofMerchant = limitOf('merchantDay', order, merchant, policy)
  const ofCustomer = limitOf('customerDay', order, merchant, policy)
  const { customerId } = order
  return [
    ...(ofMerchant === undefined
      ? []
      : [
          {
            subject: 'merchant' as const,
            id: order.merchant.referenceMerchantId,
            limit: ofMerchant,
          },
        ]),
    ...(ofCustomer === undefined || customerId === undefined
      ? []
      : [{ subject: 'customer' as const, id: customerId, limit: ofCustomer }]),
  ]
}

/**
 * A limit for the payment currency: for amount and count each the merchant's own, else the
 * policy's.
 */
function limitOf(
  kind: 'perPayment' | 'merchantDay' | 'customerDay',
  order: PlaceOrderRequest,
  merchant: MerchantRecord | undefined,
  policy: LimitsPolicy,
): CurrencyLimit | undefined {
  const { currency } = order.paymentAmount
  const general = policy.limits[kind].get(currency)
  const own: { amountMax?: string | undefined; countMax?: number | undefined } | undefined =
    merchant?.limits?.[kind].find((limit) => limit.currency === currency)
  if (own === undefined) return general
  return {
    amountMax: own.amountMax === undefined ? general?.amountMax : BigInt(own.amountMax),
    countMax: own.countMax ?? general?.countMax,
  }
}
