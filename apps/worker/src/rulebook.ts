import { readFile } from 'node:fs/promises'
import { ConfigFault, parseJsonFile, type ReadFile } from '@placeorder/config'
import { compilePolicy, type JudgingPolicy, Policy, PolicyFault } from '@placeorder/decision'
import type { ChecksObserver } from './checks/guard.ts'
import { openChecks } from './checks/open-checks.ts'
import type { Rulebook } from './judge-order.ts'

/**
 * Parses `policy.json`, and loads the modules it names with `read`. `observer` is notified of how
 * the acquirer's own checks do.
 *
 * @throws ConfigFault naming every fault
 */
export async function parseRulebook(
  text: string,
  path: string,
  observer: ChecksObserver,
  read: ReadFile = readFile,
): Promise<Rulebook> {
  const policy = compileOrFault(await parseJsonFile(Policy, text, path), path)
  return { policy, checks: await openChecks(policy.checks, path, observer, read) }
}

function compileOrFault(policy: Policy, path: string): JudgingPolicy {
  try {
    return compilePolicy(policy)
  } catch (error) {
    if (error instanceof PolicyFault)
      throw new ConfigFault(error.faults.map((fault) => `${path}: ${fault}`))
    throw error
  }
}
