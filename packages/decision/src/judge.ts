import type { FinalCode } from '@placeorder/protocol'
import { judgeAmount } from './amount.ts'
import { judgeCode } from './code.ts'
import type { JudgingPolicy } from './compile-policy.ts'
import { judgeContract } from './contract.ts'
import type { Facts } from './facts.ts'
import { judgePerPayment } from './limit.ts'
import { judgeMerchant } from './merchant.ts'
import type { StepName } from './policy.ts'
import { judgeRisk } from './risk.ts'

/** One room of the ladder. SUCCESS: nothing in this room stands against the order. */
export type LadderStep = {
  readonly name: StepName
  readonly judge: (facts: Facts, policy: JudgingPolicy) => FinalCode
}

/** The ladder, room by room in order of precedence, so that an acquirer's own checks can stand between two. */
export const ladder: readonly LadderStep[] = [
  { name: 'merchant', judge: judgeMerchant },
  { name: 'contract', judge: judgeContract },
  { name: 'code', judge: judgeCode },
  { name: 'amount', judge: judgeAmount },
  { name: 'risk', judge: judgeRisk },
  { name: 'perPayment', judge: judgePerPayment },
]

/**
 * Judges an order by all that needs nothing taken: the first code that applies is the answer, SUCCESS means that
 * the order passed and may take from its limits.
 *
 * @throws RuleFault when a risk rule fails on this order: it is then undecided, never approved
 */
export function judge(facts: Facts, policy: JudgingPolicy): FinalCode {
  for (const stage of ladder) {
    const code = stage.judge(facts, policy)
    if (code !== 'SUCCESS') return code
  }
  return 'SUCCESS'
}
