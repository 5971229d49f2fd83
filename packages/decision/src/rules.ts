import { celEnv, isCelError, parse, plan } from '@bufbuild/cel'
import { type Facts, type RecentCounter, recentCounters } from './facts.ts'
import type { RiskRule } from './policy.ts'

/** A rule could not tell whether it rejects this order: the order is undecided, and is judged again later. */
export class RuleFault extends Error {
  readonly rule: string
  constructor(rule: string, reason: string, options?: ErrorOptions) {
    super(`rule ${rule}: ${reason}`, options)
    this.name = 'RuleFault'
    this.rule = rule
  }
}

export function compileRules(risk: readonly RiskRule[]) {
  const faults: string[] = []
  const env = celEnv()
  const rules = risk.flatMap(({ name, reject }) => {
    try {
      return [{ name, evaluate: plan(env, parse(reject)) }]
    } catch (err) {
      faults.push(`risk rule ${name}: ${err instanceof Error ? err.message : err}`)
      return []
    }
  })
  const rejectedBy = ({ order, merchant, recent }: Facts): string | undefined => {
    const money = (amount: { value: string; currency: string }) => ({
      ...amount,
      value: BigInt(amount.value),
    })
    const bindings = {
      order: {
        ...JSON.parse(JSON.stringify(order)),
        paymentAmount: money(order.paymentAmount),
        settlementAmount: money(order.settlementAmount),
      },
      merchant: JSON.parse(JSON.stringify(merchant ?? {})),
      recent: Object.fromEntries(recentCounters.map((counter) => [counter, BigInt(recent[counter])])),
    }
    for (const { name, evaluate } of rules) {
      const result = evaluate(bindings)
      if (isCelError(result)) throw new RuleFault(name, result.message, { cause: result })
      if (result === true) return name
      if (result !== false) throw new RuleFault(name, 'did not come out true or false')
    }
    return undefined
  }
  const recentUsed = recentCounters.filter((counter: RecentCounter) =>
    risk.some(({ reject }) => reject.includes(counter)),
  )
  return { faults, rejectedBy, recentUsed }
}
