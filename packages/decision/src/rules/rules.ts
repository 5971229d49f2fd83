import { type CelEnv, type CelError, type CelInput, isCelError, parse, plan } from '@bufbuild/cel'
import { type Facts, type RecentCounter, recentCounters } from '../facts.ts'
import type { RiskRule } from '../policy.ts'
import { type CheckedRule, checkRule } from './check.ts'
import { type Overloads, openEnvironment, overloadsOf } from './overloads.ts'
import type { Reading } from './vocabulary.ts'

/**
 * The most steps that all rules together may take for one order, whatever it contains. A step takes
 * about 0.02 microseconds (measured), so the largest possible order and merchant cost some 20 ms. A
 * pattern designed to be slow takes twenty times as long, over 64 KiB of text designed for it.
 * Rules that iterate over no list and search no long text take a few dozen steps.
 */
export const RULE_STEPS_MAX = 1_000_000

/**
 * A rule could not be evaluated for this order: the order is undecided, and is judged again later.
 */
export class RuleFault extends Error {
  readonly rule: string
  constructor(rule: string, reason: string) {
    super(`risk rule ${rule} could not be evaluated: ${reason}`)
    this.name = 'RuleFault'
    this.rule = rule
  }
}

/** Compiled rules. They must not be used if there is any fault. */
export type CompiledRules = {
  /** Every fault, with the rule's name, the position in it and how to fix it. */
  readonly faults: readonly string[]
  /**
   * The name of the first rule that rejects the order; undefined if none does.
   *
   * @throws RuleFault if no rule rejects and some rule could not be evaluated
   */
  readonly rejectedBy: (facts: Facts) => string | undefined
  readonly recentUsed: readonly RecentCounter[]
}

type Bindings = Record<string, CelInput>
type Rule = Pick<CheckedRule, 'placeOf'> & {
  readonly name: string
  readonly evaluate: ReturnType<typeof plan>
}

/**
 * Parses, checks and plans the rules, and collects what they read: only that is converted for them.
 */
export function compileRules(risk: readonly RiskRule[]): CompiledRules {
  const env = openEnvironment()
  const overloads = overloadsOf(env)
  const faults: string[] = []
  const rules: Rule[] = []
  const readings = new Map<string, Reading>()
  let steps = 0
  for (const [index, { name, reject }] of risk.entries()) {
    const checked = compileRule(reject, env, overloads)
    if (Array.isArray(checked)) {
      faults.push(...checked.map((fault) => `risk[${index}] ${name}: ${fault}`))
      continue
    }
    for (const reading of checked.readings) readings.set(reading.name, reading)
    rules.push({ name, evaluate: checked.evaluate, placeOf: checked.placeOf })
    if (steps <= RULE_STEPS_MAX && steps + checked.steps > RULE_STEPS_MAX) {
      faults.push(
        `risk[${index}] ${name}: with it the rules may take ${steps + checked.steps} steps ` +
          'for one order, ' +
          `${checked.steps} of them here, and ${RULE_STEPS_MAX} are allowed: ` +
          'walk fewer lists, search shorter fields',
      )
    }
    steps += checked.steps
  }
  const read = [...readings.values()]
  return {
    faults,
    rejectedBy: (facts) => firstRejecting(rules, bindingsOf(read, facts)),
    recentUsed: recentCounters.filter((counter) => readings.has(`recent.${counter}`)),
  }
}

/** The rule ready for evaluation, or every fault in it. */
function compileRule(
  reject: string,
  env: CelEnv,
  overloads: Overloads,
): (CheckedRule & Pick<Rule, 'evaluate'>) | string[] {
  try {
    const checked = checkRule(parse(reject), reject, overloads)
    return Array.isArray(checked) ? checked : { ...checked, evaluate: plan(env, checked.expr) }
  } catch (err) {
    // The parser throws with reason and position. It recurses, so deep nesting may exhaust the
    // stack.
    return [`it is not a CEL expression: ${err instanceof Error ? err.message : err}`]
  }
}

function bindingsOf(readings: readonly Reading[], facts: Facts): Bindings {
  const bindings: Bindings = {}
  for (const { name, read } of readings) bindings[name] = read(facts)
  return bindings
}

/** Like `||` in CEL: one rule that rejects is enough, even if another could not be evaluated. */
function firstRejecting(rules: readonly Rule[], bindings: Bindings): string | undefined {
  let fault: RuleFault | undefined
  for (const { name, evaluate, placeOf } of rules) {
    const result = evaluate(bindings)
    if (result === true) return name
    if (result === false) continue
    const reason = isCelError(result)
      ? reasonOf(result, placeOf)
      : 'its value is neither true nor false'
    fault ??= new RuleFault(name, reason)
  }
  if (fault !== undefined) throw fault
  return undefined
}

/**
 * What went wrong and where, in our words: the library's quote data of the order, which must not be
 * logged.
 */
function reasonOf({ message, exprId }: CelError, placeOf: Rule['placeOf']): string {
  const place = exprId === undefined ? '' : ` at ${placeOf(BigInt(exprId))}`
  if (message.includes('overflow')) return `a number left 64 bits${place}`
  if (message.includes('by zero')) return `a division by zero${place}`
  if (/not found|no such|out of bounds/.test(message))
    return `no such key or place in a list${place}`
  return `a value cannot be converted${place}`
}
