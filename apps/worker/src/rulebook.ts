import { ConfigFault } from '@placeorder/config'
import { compilePolicy, Policy, PolicyFault } from '@placeorder/decision'
import type { Rulebook } from './judge-order.ts'

/**
 * Reads `policy.json` and makes it ready for judging.
 *
 * @throws ConfigFault naming every fault
 */
export async function parseRulebook(text: string, path: string): Promise<Rulebook> {
  const policy = Policy.safeParse(jsonOf(text, path))
  if (!policy.success) {
    throw new ConfigFault(
      policy.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    )
  }
  try {
    return { policy: compilePolicy(policy.data), checks: [] }
  } catch (error) {
    if (error instanceof PolicyFault) throw new ConfigFault(error.faults.map((fault) => `${path}: ${fault}`))
    throw error
  }
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigFault([`${path}: is not JSON: ${cause instanceof Error ? cause.message : cause}`])
  }
}
