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

/** One step of the ladder. SUCCESS: the step has nothing against the order. */
export type LadderStep = {
  readonly name: StepName
  readonly judge: (facts: Facts, policy: JudgingPolicy) => FinalCode
}

/** The steps of judging, in order of precedence. The acquirer's own checks run between them. */
export const ladder: readonly LadderStep[] = [
  { name: 'merchant', judge: judgeMerchant },
  { name: 'contract', judge: judgeContract },
  { name: 'code', judge: judgeCode },
  { name: 'amount', judge: judgeAmount },
  { name: 'risk', judge: judgeRisk },
  { name: 'perPayment', judge: judgePerPayment },
]

/**
 * Judges an order by everything but what it uses up. The first code that applies is the result;
 * SUCCESS means that the order passed and may use its limits.
 *
 * @throws RuleFault if a risk rule fails on this order: the order is then undecided, never approved
 */
export function judge(facts: Facts, policy: JudgingPolicy): FinalCode {
  for (const stage of ladder) {
    const code = stage.judge(facts, policy)
    if (code !== 'SUCCESS') return code
  }
  return 'SUCCESS'
}
