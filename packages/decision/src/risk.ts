import type { FinalCode } from '@placeorder/protocol'
import type { JudgingPolicy } from './compile-policy.ts'
import type { Facts } from './facts.ts'

/**
 * Whether a risk rule of the policy rejects the order.
 *
 * @throws RuleFault if a rule fails on this order: the order is then undecided, never approved
 */
export function judgeRisk(facts: Facts, policy: Pick<JudgingPolicy, 'rejectedBy'>): FinalCode {
  return policy.rejectedBy(facts) === undefined ? 'SUCCESS' : 'RISK_REJECT'
}
