import { type Facts, type JudgingPolicy, judge, ladder, type StepName } from '@placeorder/decision'
import { type Outcome, outcomeOf, partsOf } from '@placeorder/store'

/**
 * A check of the acquirer's own. It rejects when it cannot decide: the order is then undecided,
 * never approved.
 */
export type Check = {
  name: string
  after: StepName
  run: (facts: Facts, signal: AbortSignal) => Promise<Outcome>
  /** Whether this circuit is one of its own and open, so that it does not call its service. */
  isOpen?: (circuit: string) => boolean
}

/** What orders are judged by: the policy, and the acquirer's own checks between its steps. */
export type Rulebook = { policy: JudgingPolicy; checks: readonly Check[] }

/**
 * Judges one order, step by step; after each step run the acquirer's checks that belong there. The
 * first code that is not SUCCESS is the answer. SUCCESS carries the passThroughInfo of the first
 * check that gave one; a check that refuses gives its own. Rejects when a rule or a check cannot
 * decide, or `signal` aborts.
 */
export async function judgeOrder(
  facts: Facts,
  { policy, checks }: Rulebook,
  signal: AbortSignal,
): Promise<Outcome> {
  if (checks.length === 0) return judge(facts, policy)
  let passThroughInfo: string | undefined
  for (const stage of ladder) {
    const code = stage.judge(facts, policy)
    if (code !== 'SUCCESS') return code
    for (const check of checks) {
      if (check.after !== stage.name) continue
      const checked = await check.run(facts, signal)
      const parts = partsOf(checked)
      if (parts.code !== 'SUCCESS') return checked
      passThroughInfo ??= parts.passThroughInfo
    }
  }
  return outcomeOf('SUCCESS', passThroughInfo)
}
