import { type Facts, type JudgingPolicy, judge, ladder, type StepName } from '@placeorder/decision'
import { type Outcome, outcomeOf, partsOf } from '@placeorder/store'

/** A check of the acquirer's own. It rejects when it cannot tell: the order is then undecided, never approved. */
export type Check = {
  name: string
  after: StepName
  run: (facts: Facts, signal: AbortSignal) => Promise<Outcome>
  /** Whether it has this circuit, and does not call what it asks as long as that is open. */
  isOpen?: (circuit: string) => boolean
}

/** What orders are judged by: the policy, and the acquirer's own checks between its stages. */
export type Rulebook = { policy: JudgingPolicy; checks: readonly Check[] }

/**
 * Judges one order, stage by stage; after each stage the acquirer's checks that stand there. The first code that is
 * not SUCCESS is the answer. What the first of the checks passes through goes with SUCCESS; a check that refuses passes its own
 * through. Rejects when a rule or a check cannot tell, or `signal` aborts.
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
