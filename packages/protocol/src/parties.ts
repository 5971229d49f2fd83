import { z } from 'zod'
import { identifier, message, optional, text } from './fields.ts'

/** Any four digits: three tables of merchant category codes exist, and all must be recognised. */
const MerchantCategoryCode = z.string().regex(/^\d{4}$/, 'is not four digits')

export const Address = message({
  region: z.string().regex(/^[A-Z]{2}$/, 'is not an ISO 3166 alpha-2 code'),
  state: optional(text(8)),
  city: optional(text(32)),
  address1: optional(text(256)),
  address2: optional(text(256)),
  zipCode: optional(text(32)),
})
export type Address = z.output<typeof Address>

export const Store = message({
  referenceStoreId: optional(identifier(32)),
  storeName: optional(text(256)),
  storeMCC: optional(MerchantCategoryCode),
  storeDisplayName: optional(text()),
  storeTerminalId: optional(text(64)),
  storeOperatorId: optional(text(64)),
  storePhoneNo: optional(text()),
  storeAddress: optional(Address),
})
export type Store = z.output<typeof Store>

export const Merchant = message({
  referenceMerchantId: identifier(32),
  merchantName: optional(text(256)),
  merchantMCC: optional(MerchantCategoryCode),
  merchantAddress: optional(Address),
  merchantDisplayName: optional(text(256)),
  merchantRegisterDate: optional(text()),
  store: optional(Store),
})
export type Merchant = z.output<typeof Merchant>

/**
 * The device with which the order is placed. Required, but may be `{}`. Nothing depends on the
 * types of terminal and system: any text is valid, since new ones come up.
 */
export const Env = message({
  terminalType: optional(text()),
  osType: optional(text()),
  userAgent: optional(text()),
  deviceTokenId: optional(text(64)),
  clientIp: optional(text()),
  cookieId: optional(text()),
  storeTerminalId: optional(text(64)),
  storeTerminalRequestTime: optional(text()),
  extendInfo: optional(text()),
})
export type Env = z.output<typeof Env>
