import type { PlaceOrderRequest } from '@placeorder/protocol'
import type { CodeRecord, MerchantRecord } from './records.ts'

/** Whose recent orders are counted, and in which window before the claim: 10 min, 1 h, 24 h. */
export const recentCounters = [
  'customerOrders10m',
  'customerOrders1h',
  'customerOrders24h',
  'codeOrders10m',
  'codeOrders1h',
  'codeOrders24h',
  'merchantOrders10m',
  'merchantOrders1h',
  'merchantOrders24h',
] as const
export type RecentCounter = (typeof recentCounters)[number]

/** How many other orders of this customer, code and merchant were claimed recently. */
export type Recent = Readonly<Record<RecentCounter, number>>

/** All that judging an order needs, fetched before it is judged. */
export type Facts = {
  readonly order: PlaceOrderRequest
  /** The client that sent it, by its Client-Id. */
  readonly clientId: string
  /**
   * When the order was claimed, in ms since 1970. Judging uses no other time, so a later run has
   * the same result.
   */
  readonly claimedAt: number
  readonly merchant: MerchantRecord | undefined
  readonly code: CodeRecord | undefined
  /** The placed order that holds this ORDER_CODE, if one does. */
  readonly codeHeldBy: Pick<PlaceOrderRequest, 'acquirerId' | 'paymentId'> | undefined
  readonly recent: Recent
}
