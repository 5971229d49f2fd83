import type { PlaceOrderRequest } from '@placeorder/protocol'
import { type Digest, digestOf } from '../keys.ts'

/**
 * The ids by which an order's merchant, code and customer are looked up and its recent orders
 * counted.
 */
export type LookupIds = { merchant: string; code: Digest; customer: Digest | undefined }

export const lookupIdsOf = ({ merchant, codeValue, customerId }: PlaceOrderRequest): LookupIds => ({
  merchant: merchant.referenceMerchantId,
  code: digestOf(codeValue),
  customer: customerId === undefined ? undefined : digestOf(customerId),
})
