import type { z } from 'zod'

/** What is wrong with the configuration: every fault, and how to fix it. It stops the start. */
export class ConfigFault extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    const head = `fix ${faults.length === 1 ? 'this' : 'these'} first:`
    super([head, ...faults.map((fault) => `  - ${fault}`)].join('\n'))
    this.name = 'ConfigFault'
    this.faults = faults
  }
}

/** The faults of a ConfigFault, or the message of any other error. */
export const configFaults = (error: unknown): readonly string[] =>
  error instanceof ConfigFault
    ? error.faults
    : [error instanceof Error ? error.message : String(error)]

/**
 * Reads the variables of a program from its environment. An empty variable counts as not set.
 *
 * @throws ConfigFault naming every faulty variable, and never its value, which may be a secret
 */
export function readEnvironment<S extends z.ZodType>(
  schema: S,
  env: Record<string, string | undefined>,
): z.output<S> {
  const set = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  )
  const parsed = schema.safeParse(set)
  if (parsed.success) return parsed.data
  throw new ConfigFault(
    parsed.error.issues.map(({ path, message }) => `${variableOf(path)}: ${message}`),
  )
}

/** A variable, and which entry of its list is faulty, unless it is the first. */
const variableOf = ([name, index]: readonly PropertyKey[]): string =>
  typeof index === 'number' && index > 0 ? `${String(name)} (entry ${index + 1})` : String(name)

/**
 * Awaits all that is made of an operator's files and variables before it throws a fault.
 *
 * @throws ConfigFault naming the faults of all of them; whatever else one of them throws
 */
export async function withAllFaults<T extends readonly unknown[] | []>(
  makes: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const made = await Promise.allSettled(makes)
  const errors = made.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  const other = errors.find((error) => !(error instanceof ConfigFault))
  if (other !== undefined) throw other
  if (errors.length > 0) throw new ConfigFault(errors.flatMap(configFaults))
  return Promise.all(makes)
}
