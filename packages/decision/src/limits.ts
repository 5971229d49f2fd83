import { CurrencyCode } from '@placeorder/protocol'
import { z } from 'zod'
import { UnitsText } from './fields.ts'

/**
 * The largest amount of a limit: day counters are signed 64-bit numbers, and a larger limit could
 * never refuse anything.
 */
export const LIMIT_AMOUNT_MAX = 2n ** 63n - 1n

/** The most limits of a list: there are fewer than 200 currencies, and each is allowed once. */
export const LIMITS_MAX = 200

const AmountMax = UnitsText.refine((text) => BigInt(text) <= LIMIT_AMOUNT_MAX, {
  error:
    `is more than ${LIMIT_AMOUNT_MAX}, which a day's counter can never reach: ` +
    'name a smaller limit, or none',
})
/** JSON numbers are exact up to 2^53-1 only. */
const CountMax = z.int().min(0)

/** The largest payment in this currency, in smallest units. An amount equal to it is allowed. */
export const PaymentLimit = z.strictObject({ currency: CurrencyCode, amountMax: AmountMax })
export type PaymentLimit = z.infer<typeof PaymentLimit>

/**
 * The most that a merchant or a customer may place in a day in this currency: amount, count, or
 * both.
 */
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

/** A list of limits with at most one for each currency, so that it is clear which one applies. */
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
 * A merchant's own limits. For each kind, currency and member (amountMax, countMax) the merchant's
 * value replaces the policy's; where the merchant has none, the policy's applies. So a limit is
 * never lifted by leaving something out.
 */
export const Limits = z.strictObject(lists)
export type Limits = z.infer<typeof Limits>

/**
 * The policy's limits, for merchants without their own, and the time zone of the days of all
 * limits.
 */
export const PolicyLimits = z.strictObject({ timeZone: z.string().min(1), ...lists })
export type PolicyLimits = z.infer<typeof PolicyLimits>
