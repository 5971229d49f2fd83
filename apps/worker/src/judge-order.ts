import { type Facts, type JudgingPolicy, judge, type StageName, stages } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'

/** A check of the acquirer's own. It rejects when it cannot tell: the order is then undecided, never approved. */
export type Check = {
  name: string
  after: StageName
  run: (facts: Facts, signal: AbortSignal) => Promise<FinalCode>
  /** Whether it has this circuit, and does not call what it asks as long as that is open. */
  isOpen?: (circuit: string) => boolean
}

/** What orders are judged by: the policy, and the acquirer's own checks between its stages. */
export type Rulebook = { policy: JudgingPolicy; checks: readonly Check[] }

/**
 * Judges one order, stage by stage; after each stage the acquirer's checks that stand there. The first code that is
 * not SUCCESS is the answer. Rejects when a rule or a check cannot tell, or `signal` aborts.
 */
export async function judgeOrder(
  facts: Facts,
  { policy, checks }: Rulebook,
  signal: AbortSignal,
): Promise<FinalCode> {
  if (checks.length === 0) return judge(facts, policy)
  for (const stage of stages) {
    const code = stage.judge(facts, policy)
    if (code !== 'SUCCESS') return code
    for (const check of checks) {
      const checked = check.after === stage.name ? await check.run(facts, signal) : 'SUCCESS'
      if (checked !== 'SUCCESS') return checked
    }
  }
  return 'SUCCESS'
}
