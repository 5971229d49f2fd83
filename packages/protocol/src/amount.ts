import { z } from 'zod'

/** An alphabetic code of ISO 4217. The merchant's contracts say which currencies are accepted. */
export const CurrencyCode = z.string().regex(/^[A-Z]{3}$/, 'is not three capital letters')
export type CurrencyCode = z.infer<typeof CurrencyCode>

/**
 * Money as Alipay+ sends it: whole smallest units in a string of any length, and an ISO 4217
 * currency.
 */
export const Amount = z.object({
  value: z.string().regex(/^(0|[1-9]\d*)$/, 'is not a whole number without sign or leading zero'),
  currency: CurrencyCode,
})
export type Amount = z.infer<typeof Amount>

/** An amount in smallest units; not a `number`, which would lose digits. */
export const smallestUnits = (amount: Amount): bigint => BigInt(amount.value)

/**
 * Whether an amount is larger than `units` smallest units (0 or more). Compares digits: parsing a
 * number of 30,000 digits, which a body can hold, takes milliseconds.
 */
export function isMoreThan({ value }: Amount, units: bigint): boolean {
  const digits = String(units)
  return value.length === digits.length ? value > digits : value.length > digits.length
}
