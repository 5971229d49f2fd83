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
    parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
  )
}
