import { calendarOf } from './day.ts'
import type { Facts, RecentCounter } from './facts.ts'
import { LIMIT_AMOUNT_MAX } from './limits.ts'
import { type CheckEntry, type Kyb, type Policy, SETTLEMENT_TOLERANCE_UNITS } from './policy.ts'
import { compileRules } from './rules/rules.ts'
import { isTimeZone, timeZoneLike } from './time-zone.ts'

/** The limits for one currency. Amounts in its smallest units; undefined: no limit. */
export type CurrencyLimit = {
  readonly amountMax: bigint | undefined
  readonly countMax: number | undefined
}
type LimitsByCurrency = ReadonlyMap<string, CurrencyLimit>

/** A policy ready for judging: its numbers parsed, its rules compiled, without faults. */
export type JudgingPolicy = {
  readonly kyb: {
    readonly levelMin: number
    readonly tiersOf: ReadonlyMap<
      string,
      readonly { readonly above: bigint; readonly levelMin: number }[]
    >
  }
  /** For currencies that `settlementToleranceUnitsOf` does not name. */
  readonly settlementToleranceUnits: bigint
  readonly settlementToleranceUnitsOf: ReadonlyMap<string, bigint>
  readonly limits: {
    readonly perPayment: LimitsByCurrency
    readonly merchantDay: LimitsByCurrency
    readonly customerDay: LimitsByCurrency
  }
  /** The day in the limits' time zone, yyyymmdd, of a moment in ms since 1970. */
  readonly dayOf: (ms: number) => string
  /**
   * The name of the first risk rule that rejects the order. Throws RuleFault if a rule cannot be
   * evaluated.
   */
  readonly rejectedBy: (facts: Facts) => string | undefined
  /** The recent counters that some rule reads: only these are counted. */
  readonly recentUsed: readonly RecentCounter[]
  readonly checks: readonly CheckEntry[]
}

/** A policy cannot be used. Lists every fault: where it is, what it is, how to fix it. */
export class PolicyFault extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(`the policy has ${faults.length === 1 ? 'a fault' : 'faults'}:\n${faults.join('\n')}`)
    this.name = 'PolicyFault'
    this.faults = faults
  }
}

/**
 * Compiles a policy for judging.
 *
 * @throws PolicyFault with every fault that the schema cannot find: time zone, limits above 2^63-1,
 *   rules
 */
export function compilePolicy(policy: Policy): JudgingPolicy {
  const faults = limitFaults(policy)
  const dayOf = openCalendar(policy.limits.timeZone, faults)
  const rules = compileRules(policy.risk)
  faults.push(...rules.faults)
  if (faults.length > 0) throw new PolicyFault(faults)
  return {
    kyb: { levelMin: policy.kyb.levelMin, tiersOf: tiersByCurrency(policy.kyb) },
    ...tolerances(policy.settlementToleranceUnits),
    limits: {
      perPayment: byCurrency(policy.limits.perPayment),
      merchantDay: byCurrency(policy.limits.merchantDay),
      customerDay: byCurrency(policy.limits.customerDay),
    },
    dayOf,
    rejectedBy: rules.rejectedBy,
    recentUsed: rules.recentUsed,
    checks: policy.checks,
  }
}

/** Which of the nine recent counters the rules of this policy read: only these are counted. */
export const recentUsed = (policy: Pick<JudgingPolicy, 'recentUsed'>): readonly RecentCounter[] =>
  policy.recentUsed

function openCalendar(timeZone: string, faults: string[]): (ms: number) => string {
  if (isTimeZone(timeZone)) return calendarOf(timeZone)
  faults.push(
    `limits.timeZone: there is no time zone "${timeZone}" that means one place to everybody: ` +
      'give UTC, or a name of the IANA database with a /, ' +
      `here perhaps "${timeZoneLike(timeZone)}"`,
  )
  return calendarOf('UTC')
}

function tolerances(units: Policy['settlementToleranceUnits']) {
  const { '*': others = SETTLEMENT_TOLERANCE_UNITS, ...named } =
    typeof units === 'string' ? { '*': units } : units
  const entries = Object.entries(named)
  return {
    settlementToleranceUnits: BigInt(others),
    settlementToleranceUnitsOf: new Map(
      entries.map(([currency, its]) => [currency, BigInt(its)] as const),
    ),
  }
}

/** The schema refuses these in a file. Here they are refused in a policy made by code. */
function limitFaults({ limits }: Policy): string[] {
  const lists = {
    perPayment: limits.perPayment,
    merchantDay: limits.merchantDay,
    customerDay: limits.customerDay,
  }
  return Object.entries(lists).flatMap(([kind, entries]) =>
    entries
      .filter(
        (limit) => limit.amountMax !== undefined && BigInt(limit.amountMax) > LIMIT_AMOUNT_MAX,
      )
      .map(
        (limit) =>
          `limits.${kind}: amountMax for ${limit.currency} is more than ${LIMIT_AMOUNT_MAX}`,
      ),
  )
}

type LimitEntry = {
  currency: string
  amountMax?: string | undefined
  countMax?: number | undefined
}

function byCurrency(entries: readonly LimitEntry[]): LimitsByCurrency {
  return new Map(
    entries.map(({ currency, amountMax, countMax }) => [
      currency,
      { amountMax: amountMax === undefined ? undefined : BigInt(amountMax), countMax },
    ]),
  )
}

function tiersByCurrency({ tiers }: Kyb): JudgingPolicy['kyb']['tiersOf'] {
  const grouped = Map.groupBy(tiers, ({ currency }) => currency)
  return new Map(
    Array.from(grouped, ([currency, group]) => [
      currency,
      group.map(({ above, levelMin }) => ({ above: BigInt(above), levelMin })),
    ]),
  )
}
