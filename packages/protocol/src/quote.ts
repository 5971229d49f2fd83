import { z } from 'zod'
import { message, optional, text } from './fields.ts'

/** The most digits of a price before and after the point: a double in full has fewer than 100. */
const WHOLE_DIGITS_MAX = 40
const FRACTION_DIGITS_MAX = 100

/**
 * Converts a decimal in any usual form (`7.1`, `.5`, `5.`, `+1.2`, `6.13E-5`, `1e3`) to a plain one
 * with all its digits: `0.0000613`. Undefined if it is not one, or longer than any price.
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
 * A positive decimal. Callers' SDKs send a string or a JSON number, perhaps with an exponent.
 */
const Price = z
  .union([z.string(), z.number().transform(String)])
  .transform((value) => plainDecimal(value) ?? '')
  .refine((value) => /[1-9]/.test(value), 'is not a positive decimal')

/** Nothing depends on it: `true`, `"True"` and `"Y"` are all valid. */
const Flag = z.union([z.boolean().transform(String), text()])

/**
 * The exchange rate between settlement and payment currency. All its fields are optional. Its times
 * are texts: callers write ISO 8601 in many ways, and nothing depends on them.
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
