import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { ConfigFault, configFaults, type ReadFile } from '@placeorder/config'
import type { CheckEntry } from '@placeorder/decision'
import type { Check } from '../judge-order.ts'
import { askModule } from './from-module.ts'
import { type Ask, type ChecksObserver, guard } from './guard.ts'

/**
 * Opens the checks of a policy.
 *
 * @param policyPath modules are looked up beside it
 * @param read reads the modules, and has them watched
 * @throws ConfigFault naming every module that cannot be loaded
 */
export async function openChecks(
  entries: readonly CheckEntry[],
  policyPath: string,
  observer: ChecksObserver,
  read: ReadFile = readFile,
): Promise<Check[]> {
  let overHttp: Promise<(url: string) => Ask> | undefined
  const faults: string[] = []
  const askFor = async (entry: CheckEntry): Promise<Ask> => {
    if ('url' in entry) {
      overHttp ??= openHttp()
      return (await overHttp)(entry.url)
    }
    return askModule(resolve(dirname(policyPath), entry.module), read)
  }
  const checks = await Promise.all(
    entries.map(async (entry, i) => {
      try {
        return [guard(entry, await askFor(entry), observer)]
      } catch (cause) {
        const reasons = configFaults(cause).join('; ')
        faults.push(
          `${policyPath}: checks.${i} ${entry.name}: the module cannot be used: ${reasons}`,
        )
        return []
      }
    }),
  )
  if (faults.length > 0) throw new ConfigFault(faults)
  observer.inForce(entries.map(({ name }) => name))
  return checks.flat()
}

/** Loaded only for a policy with such checks: its library takes a fifth of a worker's start. */
async function openHttp(): Promise<(url: string) => Ask> {
  const { askOverHttp, openAgent } = await import('./over-http.ts')
  const agent = openAgent()
  return (url) => askOverHttp(url, agent)
}
