import type { z } from 'zod'

/** What an operator wrote wrong: each fault named, with how to mend it. It stops the start. */
export class ConfigFault extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(
      `mend ${faults.length === 1 ? 'this' : 'these'} first:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    )
    this.name = 'ConfigFault'
    this.faults = faults
  }
}

/** What an error says, fault by fault. */
export const faultsOf = (error: unknown): readonly string[] =>
  error instanceof ConfigFault
    ? error.faults
    : [error instanceof Error ? error.message : String(error)]

/**
 * Reads what a program needs from its environment. An empty variable counts as not set.
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
    parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  )
}

/**
 * Makes something of what an operator wrote.
 *
 * @throws ConfigFault with `fault` when it cannot be made; what was wrong with it may quote a secret, and is not told
 */
export function orFault<T>(make: () => T, fault: string): T {
  try {
    return make()
  } catch {
    throw new ConfigFault([fault])
  }
}
