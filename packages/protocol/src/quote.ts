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

/** A moment in ISO 8601 with an offset. */
const Moment = z.iso.datetime({ offset: true, error: 'is not a time in ISO 8601 with an offset' })

/** The exchange rate between settlement and payment currency. All of it is optional inside. */
export const Quote = message({
  quoteId: optional(text(64)),
  quoteCurrencyPair: optional(text(16)),
  quotePrice: optional(Price),
  quoteStartTime: optional(Moment),
  quoteExpiryTime: optional(Moment),
  baseCurrency: optional(text(16)),
  quoteUnit: optional(text(32)),
  guaranteed: optional(Flag),
})
export type Quote = z.output<typeof Quote>
