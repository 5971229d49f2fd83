import { z } from 'zod'
import { message, optional, text } from './fields.ts'

/** A JSON number as a plain decimal: `7.1e-7` is `0.00000071`. */
function plainDecimal(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e')
  if (exponent === undefined) return mantissa
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = whole + fraction
  const point = whole.length + Number(exponent)
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`
  return digits.padEnd(point, '0').slice(0, point)
}

/** A positive decimal. Callers' SDKs send it as a string or as a JSON number. */
const Price = z
  .union([z.string(), z.number().positive().transform(plainDecimal)])
  .refine(
    (value) => /^\d{1,40}(\.\d{1,40})?$/.test(value) && /[1-9]/.test(value),
    'is not a positive decimal',
  )

const Flag = z.union([z.boolean().transform(String), z.enum(['true', 'false'])])

/**
 * The exchange rate between settlement and payment currency. All of it is optional inside. Its times are texts: callers write
 * ISO 8601 in many ways, and nothing is decided by them.
 */
export const Quote = message({
  quoteId: optional(text(64)),
  quoteCurrencyPair: optional(text(16)),
  quotePrice: optional(Price),
  quoteStartTime: optional(text()),
  quoteExpiryTime: optional(text()),
  baseCurrency: optional(text()),
  quoteUnit: optional(text()),
  guaranteed: optional(Flag),
})
export type Quote = z.output<typeof Quote>
