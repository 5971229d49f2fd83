import type { PlaceOrderRequest } from '@placeorder/protocol'
import { Digest, digestOf } from '../keys.ts'

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

/** The ids as a job has them. */
export const wordsOf = ({ merchant, code, customer }: LookupIds): string[] =>
  customer === undefined ? [merchant, code] : [merchant, code, customer]

/** The ids from a job; undefined where it has none. */
export function lookupIdsFrom([merchant, code, customer]: string[]): LookupIds | undefined {
  if (merchant === undefined || code === undefined) return undefined
  return {
    merchant,
    code: Digest.parse(code),
    customer: customer === undefined ? undefined : Digest.parse(customer),
  }
}
