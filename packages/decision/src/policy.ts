import { CurrencyCode } from '@placeorder/protocol'
import { z } from 'zod'
import { Name, UnitsText } from './fields.ts'
import { PolicyLimits } from './limits.ts'

/** The rooms of the worker's ladder, in their order; `checks[].after` names one of them. */
export const stepNames = ['merchant', 'contract', 'code', 'amount', 'risk', 'perPayment'] as const
export type StepName = (typeof stepNames)[number]

/** Ends of the lists, so that judging one order has an end: rules run for every order, checks cost a call each. */
const RULES_MAX = 200
const CHECKS_MAX = 20
const TIERS_MAX = 1_000
const REJECT_CHARACTERS_MAX = 4_000
/** An order waits 10 min at most before it is given up; one call to a check stays well below that. */
const CHECK_TIMEOUT_MS_MAX = 60_000

/** KYB: every merchant needs `levelMin`; a payment above `above` smallest units of `currency` needs the tier's too. */
export const Kyb = z.strictObject({
  levelMin: z.int().min(0),
  tiers: z
    .array(z.strictObject({ currency: CurrencyCode, above: UnitsText, levelMin: z.int().min(0) }))
    .max(TIERS_MAX)
    .default([]),
})
export type Kyb = z.infer<typeof Kyb>

/** A CEL expression over `order`, `merchant` and `recent`: an order for which it is true is a RISK_REJECT. */
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

/** A check behind HTTP: it is posted order and merchant as JSON and answers `{ "resultCode": … }`. */
export const HttpCheck = z.strictObject({ ...check, url: z.url({ protocol: /^https?$/ }) })
export type HttpCheck = z.infer<typeof HttpCheck>

/** A check in a TypeScript module; the path is relative to the policy file. */
export const ModuleCheck = z.strictObject({ ...check, module: z.string().min(1).max(1_000) })
export type ModuleCheck = z.infer<typeof ModuleCheck>

/**
 * A check of the acquirer's own, run for orders that passed the stage it names and before the next stage; checks
 * after the same stage run in the order they are written. A check can only refuse: its SUCCESS lets the ladder go on.
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

/** A list in which each name stands once: names are how logs and metrics tell entries apart. */
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
 * The same for all currencies, or one for each, since some are rounded to more than their smallest
 * unit; `*` is for those that are not named.
 */
const Tolerance = z.union(
  [UnitsText, z.record(z.string().regex(/^([A-Z]{3}|\*)$/), UnitsText)],
  'must be smallest units in a string, "1", or that for each currency, { "IDR": "100", "*": "1" }',
)

/** What the acquirer accepts: `policy.json`. Amounts in smallest units, as strings. */
export const Policy = z.strictObject({
  kyb: Kyb,
  /** How far settlementAmount may lie from what payment amount and quote give, in the settlement currency's units. */
  settlementToleranceUnits: Tolerance.default(SETTLEMENT_TOLERANCE_UNITS),
  limits: PolicyLimits,
  risk: namedOnce(RiskRule, RULES_MAX),
  checks: namedOnce(CheckEntry, CHECKS_MAX),
})
export type Policy = z.infer<typeof Policy>
