import type { CelInput } from '@bufbuild/cel'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { type Facts, recentCounters } from '../facts.ts'
import { LIMIT_AMOUNT_MAX, LIMITS_MAX } from '../limits.ts'
import {
  CONTRACTS_MAX,
  CURRENCIES_MAX,
  type MerchantRecord,
  PSPS_MAX,
  STORES_MAX,
} from '../records.ts'
import { INT, listType, type RecordType, type RuleType, textType } from './type.ts'

/** A text without a bound of its own is bounded by the body: 64 KiB. */
const BODY_CHARACTERS_MAX = 65_536

/** The rule type of every field of T. Does not compile if a field of T is missing. */
type Vocabulary<T> = {
  readonly [K in keyof Required<T>]: NonNullable<T[K]> extends readonly unknown[]
    ? RuleType
    : NonNullable<T[K]> extends object
      ? { readonly kind: 'record'; readonly fields: Vocabulary<NonNullable<T[K]>> }
      : RuleType
}

const record = <F extends Readonly<Record<string, RuleType>>>(fields: F) =>
  ({ kind: 'record', fields }) as const

const amount = record({ value: INT, currency: textType(3) })
const address = record({
  region: textType(2),
  state: textType(8),
  city: textType(32),
  address1: textType(256),
  address2: textType(256),
  zipCode: textType(32),
})
const freeText = textType(BODY_CHARACTERS_MAX)

const order = {
  acquirerId: textType(64),
  pspId: textType(64),
  codeValue: textType(512),
  paymentId: textType(64),
  paymentRequestId: textType(64),
  customerId: textType(64),
  paymentAmount: amount,
  settlementAmount: amount,
  settlementQuote: record({
    quoteId: textType(64),
    quoteCurrencyPair: textType(16),
    quotePrice: textType(141),
    quoteStartTime: freeText,
    quoteExpiryTime: freeText,
    baseCurrency: freeText,
    quoteUnit: freeText,
    guaranteed: freeText,
  }),
  merchant: record({
    referenceMerchantId: textType(32),
    merchantName: textType(256),
    merchantMCC: textType(4),
    merchantAddress: address,
    merchantDisplayName: textType(256),
    merchantRegisterDate: freeText,
    store: record({
      referenceStoreId: textType(32),
      storeName: textType(256),
      storeMCC: textType(4),
      storeDisplayName: freeText,
      storeTerminalId: textType(64),
      storeOperatorId: textType(64),
      storePhoneNo: freeText,
      storeAddress: address,
    }),
  }),
  env: record({
    terminalType: freeText,
    osType: freeText,
    userAgent: freeText,
    deviceTokenId: textType(64),
    clientIp: freeText,
    cookieId: freeText,
    storeTerminalId: textType(64),
    storeTerminalRequestTime: freeText,
    extendInfo: freeText,
  }),
  passThroughInfo: textType(2000),
} satisfies Vocabulary<PlaceOrderRequest>

/** An absent limit reads as the largest number, so that a comparison with it never rejects. */
const unlimited: RuleType = { kind: 'int', absent: LIMIT_AMOUNT_MAX }
const dayLimits = listType(
  record({ currency: textType(3), amountMax: unlimited, countMax: unlimited }),
  LIMITS_MAX,
)

const merchant = {
  merchantId: textType(32),
  status: textType(9),
  kybLevel: INT,
  stores: listType(textType(32), STORES_MAX),
  contracts: listType(
    record({
      pspIds: listType(textType(64), PSPS_MAX),
      status: textType(9),
      from: textType(64),
      until: textType(64),
      codeTypes: listType(textType(10), 2),
      currencies: listType(textType(3), CURRENCIES_MAX),
    }),
    CONTRACTS_MAX,
  ),
  limits: record({
    perPayment: listType(record({ currency: textType(3), amountMax: unlimited }), LIMITS_MAX),
    merchantDay: dayLimits,
    customerDay: dayLimits,
  }),
} satisfies Vocabulary<MerchantRecord>

const recent = Object.fromEntries(recentCounters.map((counter) => [counter, INT] as const))

/**
 * The variables of a rule: the order with its amounts as integers, the merchant's record, the
 * recent counters.
 */
export const variables: RecordType = record({
  order: record(order),
  merchant: record(merchant),
  recent: record(recent),
})

/** Reads a value for rules, in the types of rules. */
export type Reading = {
  /** The name of the value in rules: `order.merchant.merchantMCC`, `has(order.customerId)`. */
  readonly name: string
  readonly read: (facts: Facts) => CelInput
  /** The most steps of reading it for one order: a list is converted item by item. */
  readonly steps: number
}

/** Reads a field of one of the variables, such as `order.merchant.store.storeName`. */
export function readingOf(path: string, type: RuleType): Reading {
  const keys = path.split('.')
  return {
    name: path,
    read: (facts) => asRuleSees(type, valueAt(facts, keys)),
    steps: itemsIn(type),
  }
}

/** Reads whether an optional field is present: the value of `has(order.customerId)`. */
export function presenceOf(path: string): Reading {
  const keys = path.split('.')
  return { name: presenceName(path), read: (facts) => valueAt(facts, keys) != null, steps: 1 }
}

/** A name that no rule can contain, so it cannot mean anything else. */
export const presenceName = (field: string): string => `has(${field})`

/** The most single values in this type. */
function itemsIn(type: RuleType): number {
  if (type.kind === 'list')
    return 1 + type.sizeMax * (type.element === undefined ? 0 : itemsIn(type.element))
  if (type.kind !== 'record') return 1
  return Object.values(type.fields).reduce((sum, field) => sum + 1 + itemsIn(field), 1)
}

function valueAt(facts: Facts, keys: readonly string[]): unknown {
  let value: unknown = facts
  for (const key of keys) {
    if (typeof value !== 'object' || value === null) return undefined
    value = Reflect.get(value, key)
  }
  return value
}

/**
 * Converts a value to its rule type. An absent one reads as "", as 0 (or as the type says), as an
 * empty list, or as an object of absent fields: so a rule that reads an optional field works for
 * every order, and `has()` distinguishes.
 */
function asRuleSees(type: RuleType, value: unknown): CelInput {
  if (type.kind === 'int')
    return typeof value === 'string' || typeof value === 'number'
      ? BigInt(value)
      : (type.absent ?? 0n)
  if (type.kind === 'list') {
    const { element } = type
    return Array.isArray(value) && element !== undefined
      ? value.map((item) => asRuleSees(element, item))
      : []
  }
  if (type.kind === 'record') return new Map(fieldsSeen(type, value))
  return value == null ? '' : String(value)
}

/** The fields of an object in a list, each with the result of its `has()`. */
function fieldsSeen({ fields }: RecordType, value: unknown): [string, CelInput][] {
  const held: object = typeof value === 'object' && value !== null ? value : {}
  return Object.entries(fields).flatMap(([field, type]): [string, CelInput][] => {
    const item: unknown = Reflect.get(held, field)
    return [
      [field, asRuleSees(type, item)],
      [presenceName(field), item != null],
    ]
  })
}
