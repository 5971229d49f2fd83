import { readFile } from 'node:fs/promises'
import { ConfigFault, jsonOf, type ReadFile } from '@placeorder/config'
import { compilePolicy, type JudgingPolicy, Policy, PolicyFault } from '@placeorder/decision'
import type { ChecksSeen } from './checks/guard.ts'
import { openChecks } from './checks/open-checks.ts'
import type { Rulebook } from './judge-order.ts'

/**
 * Reads `policy.json`, and with `read` the modules it names; `seen` is told how the acquirer's own
 * checks do.
 *
 * @throws ConfigFault naming every fault
 */
export async function parseRulebook(
  text: string,
  path: string,
  seen: ChecksSeen,
  read: ReadFile = readFile,
): Promise<Rulebook> {
  const policy = Policy.safeParse(jsonOf(text, path))
  if (!policy.success) {
    throw new ConfigFault(
      policy.error.issues.map((issue) => `${path}: ${issue.path.join('.')}: ${issue.message}`),
    )
  }
  const compiled = compiledOrFault(policy.data, path)
  return { policy: compiled, checks: await openChecks(compiled.checks, path, seen, read) }
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
