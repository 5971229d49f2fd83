import { CurrencyCode } from '@placeorder/protocol'
import { z } from 'zod'
import { Name, UnitsText } from './fields.ts'
import { PolicyLimits } from './limits.ts'

/** The steps of the ladder, in their order; `checks[].after` names one of them. */
export const stepNames = ['merchant', 'contract', 'code', 'amount', 'risk', 'perPayment'] as const
export type StepName = (typeof stepNames)[number]

/**
 * Bounds of the lists, which bound the time for judging an order: every rule runs for every order,
 * and each check is a call.
 */
const RULES_MAX = 200
const CHECKS_MAX = 20
const TIERS_MAX = 1_000
const REJECT_CHARACTERS_MAX = 4_000
/** An order is abandoned after 10 min by default; a call to a check must take much less. */
const CHECK_TIMEOUT_MS_MAX = 60_000

/**
 * KYB: every merchant needs `levelMin`; a payment of more than `above` smallest units of `currency`
 * needs the tier's, too.
 */
export const Kyb = z.strictObject({
  levelMin: z.int().min(0),
  tiers: z
    .array(z.strictObject({ currency: CurrencyCode, above: UnitsText, levelMin: z.int().min(0) }))
    .max(TIERS_MAX)
    .default([]),
})
export type Kyb = z.infer<typeof Kyb>

/**
 * A CEL expression over `order`, `merchant` and `recent`. An order for which it is true is refused
 * with RISK_REJECT.
 */
export const RiskRule = z.strictObject({
  name: Name,
  reject: z.string().min(1).max(REJECT_CHARACTERS_MAX),
})
export type RiskRule = z.infer<typeof RiskRule>

const check = {
  name: Name,
  after: z.enum(stepNames),
  timeoutMs: z.int().min(1).max(CHECK_TIMEOUT_MS_MAX),
}

/**
 * A check over HTTP: it receives order and merchant as JSON by POST, and answers `{ "resultCode": …
 * }`.
 */
export const HttpCheck = z.strictObject({ ...check, url: z.url({ protocol: /^https?$/ }) })
export type HttpCheck = z.infer<typeof HttpCheck>

/** A check in a TypeScript module; the path is relative to the policy file. */
export const ModuleCheck = z.strictObject({ ...check, module: z.string().min(1).max(1_000) })
export type ModuleCheck = z.infer<typeof ModuleCheck>

/**
 * A check of the acquirer's own. It runs for orders that passed the step it names, before the next
 * step; checks after the same step run in the order in which they are written. A check can only
 * refuse: after its SUCCESS the ladder goes on.
 */
export const CheckEntry = z
  .strictObject({
    ...check,
    url: HttpCheck.shape.url.optional(),
    module: ModuleCheck.shape.module.optional(),
  })
  .transform(({ url, module, ...rest }, ctx): HttpCheck | ModuleCheck => {
    if (url !== undefined && module === undefined) return { ...rest, url }
    if (module !== undefined && url === undefined) return { ...rest, module }
    ctx.addIssue({ code: 'custom', message: 'needs either url or module, and not both' })
    return z.NEVER
  })
export type CheckEntry = z.output<typeof CheckEntry>

/** A list of entries with unique names, which identify them in logs and metrics. */
function namedOnce<S extends typeof RiskRule | typeof CheckEntry>(entry: S, entriesMax: number) {
  return z
    .array(entry)
    .max(entriesMax)
    .superRefine((entries, ctx) => {
      const seen = new Set<string>()
      for (const [index, { name }] of entries.entries()) {
        if (seen.has(name)) {
          ctx.addIssue({
            code: 'custom',
            path: [index, 'name'],
            message: `is the second "${name}" in this list`,
          })
        }
        seen.add(name)
      }
    })
    .default([])
}

/** Covers every way of rounding to the smallest unit. */
export const SETTLEMENT_TOLERANCE_UNITS = '1'

/**
 * One tolerance for all currencies, or one for each, since some are rounded to more than their
 * smallest unit; `*` is for the others.
 */
const Tolerance = z.union(
  [UnitsText, z.record(z.string().regex(/^([A-Z]{3}|\*)$/), UnitsText)],
  'must be smallest units in a string, "1", or one for each currency, { "IDR": "100", "*": "1" }',
)

/** What the acquirer accepts: `policy.json`. Amounts in smallest units, as strings. */
export const Policy = z.strictObject({
  kyb: Kyb,
  /**
   * How far settlementAmount may be from the payment amount converted by the quote, in the
   * settlement currency's units.
   */
  settlementToleranceUnits: Tolerance.default(SETTLEMENT_TOLERANCE_UNITS),
  limits: PolicyLimits,
  risk: namedOnce(RiskRule, RULES_MAX),
  checks: namedOnce(CheckEntry, CHECKS_MAX),
})
export type Policy = z.infer<typeof Policy>
