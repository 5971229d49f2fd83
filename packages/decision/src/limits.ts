import { CurrencyCode } from '@placeorder/protocol'
import { z } from 'zod'
import { UnitsText } from './fields.ts'

/**
 * The largest amount a limit may name: day counters are signed 64-bit numbers in Redis, and a limit past their
 * end could never refuse anything.
 */
export const LIMIT_AMOUNT_MAX = 2n ** 63n - 1n

/** How many limits one list may hold: there are fewer than 200 currencies, and each may stand once. */
export const LIMITS_MAX = 200

const AmountMax = UnitsText.refine((text) => BigInt(text) <= LIMIT_AMOUNT_MAX, {
  error: `is more than ${LIMIT_AMOUNT_MAX}, which a day's counter can never reach: name a smaller limit, or none`,
})
/** JSON numbers are exact up to 2^53-1 only, so a count stays below that, which is far below 2^63-1. */
const CountMax = z.int().min(0)

/** The most one payment in this currency may be. In smallest units; the limit itself is still allowed. */
export const PaymentLimit = z.strictObject({ currency: CurrencyCode, amountMax: AmountMax })
export type PaymentLimit = z.infer<typeof PaymentLimit>

/** What one merchant or one customer may place in one day in this currency: an amount, a count, or both. */
export const DayLimit = z
  .strictObject({
    currency: CurrencyCode,
    amountMax: AmountMax.optional(),
    countMax: CountMax.optional(),
  })
  .refine((limit) => limit.amountMax !== undefined || limit.countMax !== undefined, {
    error: 'limits nothing: give amountMax, countMax or both',
  })
export type DayLimit = z.infer<typeof DayLimit>

/** A list of limits in which each currency stands at most once, so that there is never a question which one holds. */
function perCurrency<S extends typeof PaymentLimit | typeof DayLimit>(limit: S) {
  return z
    .array(limit)
    .max(LIMITS_MAX)
    .superRefine((limits, ctx) => {
      const seen = new Set<string>()
      for (const [index, { currency }] of limits.entries()) {
        if (seen.has(currency)) {
          const message = `is the second limit for ${currency} in this list: keep one`
          ctx.addIssue({ code: 'custom', path: [index, 'currency'], message })
        }
        seen.add(currency)
      }
    })
    .default([])
}

const lists = {
  perPayment: perCurrency(PaymentLimit),
  merchantDay: perCurrency(DayLimit),
  customerDay: perCurrency(DayLimit),
}

/**
 * A merchant's own limits. For each kind, currency and member (amountMax, countMax) the merchant's own value stands
 * before the policy's; what the merchant leaves out, the policy still says. So a limit is only ever lifted by a
 * written number, never by something left out.
 */
export const Limits = z.strictObject(lists)
export type Limits = z.infer<typeof Limits>

/** The policy's limits, for every merchant that has none of its own, and the time zone whose days all limits use. */
export const PolicyLimits = z.strictObject({ timeZone: z.string().min(1), ...lists })
export type PolicyLimits = z.infer<typeof PolicyLimits>
