import type { PlaceOrderRequest } from '@placeorder/protocol'

/** A concluded order as the archive keeps it. Times are in ms. */
export type ArchivedOrder = {
  acquirerId: string
  paymentId: string
  paymentRequestId: string
  /** What a repeat must agree in. */
  terms: string
  /** A final code, and after a space what is passed through with it. */
  outcome: string
  pspId: string
  clientId: string
  merchantId: string
  claimedAt: number
  concludedAt: number
}

/** The same with its request, and what it is searched by. */
export type OrderToArchive = ArchivedOrder & {
  storeId: string | undefined
  /** In smallest units. */
  amount: string
  currency: string
  codeDigest: string
  customerDigest: string | undefined
  /** The packed request. */
  request: string
}

/** An order as the archive gives it back. */
export type FoundOrder = ArchivedOrder & { archivedAt: number; shard: number; version: number }

/** A concluded order as Redis holds it. Times are in ms. */
export type ConcludedOrder = {
  order: PlaceOrderRequest
  /** The request as it is kept. */
  packed: string
  terms: string
  clientId: string
  paymentRequestId: string
  outcome: string
  claimedAt: number
  concludedAt: number
}

/**
 * What the archive is to keep of an order. Codes and customers are kept as digests, and in the
 * request alone in clear.
 */
export function orderToArchive(
  { order, packed, ...kept }: ConcludedOrder,
  digestOf: (value: string) => string,
): OrderToArchive {
  const { merchant, paymentAmount, customerId } = order
  return {
    acquirerId: order.acquirerId,
    paymentId: order.paymentId,
    paymentRequestId: kept.paymentRequestId,
    terms: kept.terms,
    outcome: kept.outcome,
    pspId: order.pspId,
    clientId: kept.clientId,
    merchantId: merchant.referenceMerchantId,
    claimedAt: kept.claimedAt,
    concludedAt: kept.concludedAt,
    storeId: merchant.store?.referenceStoreId,
    amount: paymentAmount.value,
    currency: paymentAmount.currency,
    codeDigest: digestOf(order.codeValue),
    customerDigest: customerId === undefined ? undefined : digestOf(customerId),
    request: packed,
  }
}

/** What has to agree wherever an order is kept. */
const compared = [
  'acquirerId',
  'paymentId',
  'paymentRequestId',
  'terms',
  'outcome',
  'pspId',
  'clientId',
  'merchantId',
  'claimedAt',
  'concludedAt',
] as const satisfies (keyof ArchivedOrder)[]

/** The names of what differs between an order here and there. */
export const differences = (one: ArchivedOrder, other: ArchivedOrder): string[] =>
  compared.filter((name) => one[name] !== other[name])
