import { ConfigFault } from '@placeorder/config'
import { compilePolicy, type JudgingPolicy, Policy, PolicyFault } from '@placeorder/decision'
import type { ChecksSeen } from './checks/guard.ts'
import { openChecks } from './checks/open-checks.ts'
import type { Rulebook } from './judge-order.ts'

/**
 * Reads `policy.json` and makes it ready for judging; `seen` is told how the acquirer's own checks do.
 *
 * @throws ConfigFault naming every fault
 */
export async function parseRulebook(
  text: string,
  path: string,
  seen: ChecksSeen,
): Promise<Rulebook> {
  const policy = Policy.safeParse(jsonOf(text, path))
  if (!policy.success) {
    throw new ConfigFault(
      policy.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    )
  }
  const compiled = compiledOrFault(policy.data, path)
  return { policy: compiled, checks: await openChecks(compiled.checks, path, seen) }
}

function compiledOrFault(policy: Policy, path: string): JudgingPolicy {
  try {
    return compilePolicy(policy)
  } catch (error) {
    if (error instanceof PolicyFault)
      throw new ConfigFault(error.faults.map((fault) => `${path}: ${fault}`))
    throw error
  }
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigFault([
      `${path}: is not JSON: ${cause instanceof Error ? cause.message : cause}`,
    ])
  }
}
