import { PlaceOrderRequest } from '@placeorder/protocol'
import type { z } from 'zod'
import directoryFile from '../../../config/directory.json' with { type: 'json' }
import policyJson from '../../../config/policy.json' with { type: 'json' }
import sampleOrder from '../../../config/sample-order.json' with { type: 'json' }
import { compilePolicy, type JudgingPolicy } from '../src/compile-policy.ts'
import type { Facts, Recent } from '../src/facts.ts'
import { Policy } from '../src/policy.ts'
import { DirectoryFile, EntryCodeRecord, MerchantRecord, OrderCodeRecord } from '../src/records.ts'

// For tests only: the request of placeOrder.txt, and the merchant, codes and policy of the files in
// config/.

const directory = DirectoryFile.parse(directoryFile)

export const merchant = MerchantRecord.parse(directory.merchants[0])
export const entryCode = EntryCodeRecord.parse(directory.codes[0])
export const orderCode = OrderCodeRecord.parse(directory.codes[1])
export const samplePolicyFile = Policy.parse(policyJson)
export const samplePolicy = compilePolicy(samplePolicyFile)

/** The sample policy with these sections in place of its own. */
export const policyWith = (changes: Partial<z.input<typeof Policy>>): JudgingPolicy =>
  compilePolicy(Policy.parse({ ...samplePolicyFile, ...changes }))

const order = PlaceOrderRequest.parse(sampleOrder)

/**
 * The order of placeOrder.txt with these fields in place of its own; undefined leaves a field out.
 */
export const anOrder = (changes: Record<string, unknown> = {}): PlaceOrderRequest =>
  PlaceOrderRequest.parse({ ...order, ...changes })

/** An order of this much, in one currency. */
export const anOrderOf = (value: string | bigint, currency = 'CNY'): PlaceOrderRequest => {
  const amount = { value: String(value), currency }
  return anOrder({ paymentAmount: amount, settlementAmount: amount })
}

export const noneRecent: Recent = {
  customerOrders10m: 0,
  customerOrders1h: 0,
  customerOrders24h: 0,
  codeOrders10m: 0,
  codeOrders1h: 0,
  codeOrders24h: 0,
  merchantOrders10m: 0,
  merchantOrders1h: 0,
  merchantOrders24h: 0,
}

/** Facts of an order that passes everything, with these in place of its own. */
export const factsWith = (changes: Partial<Facts> = {}): Facts => ({
  order,
  clientId: 'SANDBOX_5Y00000000000001',
  claimedAt: Date.parse('2026-03-01T12:00:00+08:00'),
  merchant,
  code: entryCode,
  codeHeldBy: undefined,
  recent: noneRecent,
  ...changes,
})
