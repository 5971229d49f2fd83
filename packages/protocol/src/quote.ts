import { z } from 'zod'
import { message, optional, text } from './fields.ts'

/**
 * Digits before and after the point of a price: a double written out in full has fewer than 100.
 */
const WHOLE_DIGITS_MAX = 40
const FRACTION_DIGITS_MAX = 100

/**
 * A decimal in any usual form (`7.1`, `.5`, `5.`, `+1.2`, `6.13E-5`, `1e3`) as a plain one, digit
 * for digit: `0.0000613`. Undefined when it is none, or longer than any price.
 */
function plainDecimal(text: string): string | undefined {
  const [, whole = '', fraction = '', exponent = '0'] =
    /^\+?(?=\.?\d)(\d*)\.?(\d*)(?:e([+-]?\d{1,9}))?$/i.exec(text) ?? []
  const digits = whole + fraction
  const point = whole.length + Number(exponent)
  if (digits === '' || point > WHOLE_DIGITS_MAX) return undefined
  if (digits.length - point > FRACTION_DIGITS_MAX) return undefined
  const padded = point < 0 ? '0'.repeat(-point) + digits : digits.padEnd(point, '0')
  const at = Math.max(point, 0)
  const before = padded.slice(0, at).replace(/^0+(?=\d)/, '') || '0'
  return at < padded.length ? `${before}.${padded.slice(at)}` : before
}

/**
 * A positive decimal. Callers' SDKs send it as a string or as a JSON number, and either with an
 * exponent.
 */
const Price = z
  .union([z.string(), z.number().transform(String)])
  .transform((value) => plainDecimal(value) ?? '')
  .refine((value) => /[1-9]/.test(value), 'is not a positive decimal')

/** Nothing is decided by it: `true`, `"True"` and `"Y"` are all good. */
const Flag = z.union([z.boolean().transform(String), text()])

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
