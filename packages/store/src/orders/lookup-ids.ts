import type { PlaceOrderRequest } from '@placeorder/protocol'
import { type Digest, digestOf } from '../keys.ts'

/** What an order is counted by: its merchant, and the digests of its code and customer. */
export type LookupIds = { merchant: string; code: Digest; customer: Digest | undefined }

/** The subjects of an order: what its recent orders are counted by. */
export const lookupIdsOf = ({ merchant, codeValue, customerId }: PlaceOrderRequest): LookupIds => ({
  merchant: merchant.referenceMerchantId,
  code: digestOf(codeValue),
  customer: customerId === undefined ? undefined : digestOf(customerId),
})
