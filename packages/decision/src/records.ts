import { Amount, CurrencyCode } from '@placeorder/protocol'
import { z } from 'zod'
import { boundedText, Moment } from './fields.ts'
import { Limits } from './limits.ts'

/**
 * Bounds of a merchant's record. It is fetched for every order of the merchant, and rules may
 * iterate over its lists. A chain with more stores leaves `stores` out and binds codes to stores
 * instead.
 */
export const STORES_MAX = 10_000
export const CONTRACTS_MAX = 100
export const PSPS_MAX = 200
export const CURRENCIES_MAX = 200

export const CodeType = z.enum(['ENTRY_CODE', 'ORDER_CODE'])
export type CodeType = z.infer<typeof CodeType>

/**
 * A merchant's contract with wallets: for these code types and payment currencies, from `from`
 * (inclusive) until `until` (exclusive; null or absent: no end). `pspIds` names wallets; `*` stands
 * for all that no contract names.
 */
export const Contract = z.strictObject({
  pspIds: z.array(boundedText(64)).min(1).max(PSPS_MAX),
  status: z.enum(['ACTIVE', 'SUSPENDED', 'CLOSED']),
  from: Moment,
  until: Moment.nullish(),
  codeTypes: z.array(CodeType).min(1).max(CodeType.options.length),
  currencies: z.array(CurrencyCode).min(1).max(CURRENCIES_MAX),
})
export type Contract = z.infer<typeof Contract>

/**
 * A merchant of the acquirer's. Without `stores` any store is accepted; with it, only these are.
 */
export const MerchantRecord = z.strictObject({
  merchantId: boundedText(32),
  status: z.enum(['ACTIVE', 'SUSPENDED', 'CLOSED']),
  kybLevel: z.int().min(0),
  stores: z.array(boundedText(32)).max(STORES_MAX).optional(),
  contracts: z.array(Contract).max(CONTRACTS_MAX),
  limits: Limits.optional(),
})
export type MerchantRecord = z.infer<typeof MerchantRecord>

const code = {
  codeValue: boundedText(512),
  merchantId: boundedText(32),
  storeId: boundedText(32).nullish(),
  status: z.enum(['OPEN', 'CLOSED']),
  expiresAt: Moment.nullish(),
}

/** A code shown at a counter: for many orders, with amounts that the payers enter. */
export const EntryCodeRecord = z.strictObject({ ...code, type: z.literal('ENTRY_CODE') })
export type EntryCodeRecord = z.infer<typeof EntryCodeRecord>

/** A code for one order and one amount. `paymentRequestId` is the acquirer's id of that order. */
export const OrderCodeRecord = z.strictObject({
  ...code,
  type: z.literal('ORDER_CODE'),
  paymentRequestId: boundedText(64).nullish(),
  amount: z.strictObject(Amount.shape),
})
export type OrderCodeRecord = z.infer<typeof OrderCodeRecord>

/** A code of the acquirer's. It expires at `expiresAt`. */
export const CodeRecord = z.discriminatedUnion('type', [EntryCodeRecord, OrderCodeRecord])
export type CodeRecord = z.infer<typeof CodeRecord>

/** What `directory.json` holds: the merchants and codes to import. */
export const DirectoryFile = z.object({
  merchants: z.array(MerchantRecord),
  codes: z.array(CodeRecord),
})
export type DirectoryFile = z.infer<typeof DirectoryFile>
