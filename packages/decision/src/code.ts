import type { FinalCode, PlaceOrderRequest } from '@placeorder/protocol'
import type { Facts } from './facts.ts'
import type { CodeRecord, MerchantRecord } from './records.ts'

/**
 * Whether the scanned code is one of ours, of this merchant and store, not expired and not used up.
 * An order code that this same order already holds is open to it, so that judging an order again is
 * harmless.
 */
export function judgeCode({ order, claimedAt, merchant, code, codeHeldBy }: Facts): FinalCode {
  if (code === undefined) return 'INVALID_CODE'
  if (code.merchantId !== order.merchant.referenceMerchantId) return 'INVALID_CODE'
  if (!namesStore(code, merchant, order)) return 'INVALID_CODE'
  if (isOfAnotherOrder(code, order)) return 'INVALID_CODE'
  if (code.expiresAt != null && claimedAt >= Date.parse(code.expiresAt)) return 'EXPIRED_CODE'
  if (code.status !== 'OPEN') return 'ORDER_IS_CLOSED'
  if (code.type !== 'ORDER_CODE') return 'SUCCESS'
  if (codeHeldBy !== undefined && !isSame(codeHeldBy, order)) return 'ORDER_IS_CLOSED'
  return 'SUCCESS'
}

const isSame = (one: NonNullable<Facts['codeHeldBy']>, other: PlaceOrderRequest): boolean =>
  one.paymentId === other.paymentId && one.acquirerId === other.acquirerId

/**
 * Whether the code is for the order's store. A code without a store is for every store of its
 * merchant; an order without a store is at the code's store. If the merchant's record lists stores,
 * the store must be one of them.
 */
function namesStore(
  code: CodeRecord,
  merchant: MerchantRecord | undefined,
  order: PlaceOrderRequest,
): boolean {
  const atStore = order.merchant.store?.referenceStoreId ?? code.storeId
  if (atStore == null) return true
  if (code.storeId != null && code.storeId !== atStore) return false
  return merchant?.stores === undefined || merchant.stores.includes(atStore)
}

/**
 * Whether the request names another order of ours than the code was made for. A request that names
 * none is for the code's order: Alipay+ sends paymentRequestId only if the acquirer returned it
 * when the code was decoded.
 */
function isOfAnotherOrder(code: CodeRecord, order: PlaceOrderRequest): boolean {
  if (code.type !== 'ORDER_CODE') return false
  if (code.paymentRequestId == null || order.paymentRequestId === undefined) return false
  return code.paymentRequestId !== order.paymentRequestId
}
