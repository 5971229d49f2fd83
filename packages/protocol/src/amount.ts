import { z } from 'zod'

/** ISO 4217, alphabetic. Which currencies are accepted is the contract's business. */
export const CurrencyCode = z.string().regex(/^[A-Z]{3}$/, 'is not three capital letters')
export type CurrencyCode = z.infer<typeof CurrencyCode>

/** Money as Alipay+ sends it: whole smallest units in a string of any length, and an ISO 4217 currency. */
export const Amount = z.object({
  value: z.string().regex(/^(0|[1-9]\d*)$/, 'is not a whole number without sign or leading zero'),
  currency: CurrencyCode,
})
export type Amount = z.infer<typeof Amount>

/** An amount in smallest units: never a `number`, which loses digits. */
export const smallestUnits = (amount: Amount): bigint => BigInt(amount.value)

/**
 * Whether an amount is more than so many smallest units (0 or more). Compares digits: to read a number of 30,000 of them,
 * as a body may hold, takes milliseconds.
 */
export function isMoreThan({ value }: Amount, units: bigint): boolean {
  const digits = String(units)
  return value.length === digits.length ? value > digits : value.length > digits.length
}
