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
  const { read, faults } = readWithFaults(schema, env)
  if (faults.length > 0) throw new ConfigFault(faults)
  return read
}

/**
 * The same with the default of each faulty variable, so that files can be read before
 * `withAllFaults` throws the faults of all.
 *
 * @throws ConfigFault if a faulty variable has no default
 */
export function readWithFaults<S extends z.ZodType>(
  schema: S,
  env: Record<string, string | undefined>,
): { read: z.output<S>; faults: string[] } {
  const set = Object.entries(env).filter(([, value]) => value !== undefined && value !== '')
  const parsed = schema.safeParse(Object.fromEntries(set))
  if (parsed.success) return { read: parsed.data, faults: [] }
  const { issues } = parsed.error
  const faults = issues.map(({ path, message }) => `${variableOf(path)}: ${message}`)
  const faulty = new Set(issues.map(({ path }) => path[0]))
  const others = schema.safeParse(Object.fromEntries(set.filter(([name]) => !faulty.has(name))))
  if (!others.success) throw new ConfigFault(faults)
  return { read: others.data, faults }
}

/** A variable, and which entry of its list is faulty, unless it is the first. */
const variableOf = ([name, index]: readonly PropertyKey[]): string =>
  typeof index === 'number' && index > 0 ? `${String(name)} (entry ${index + 1})` : String(name)

/**
 * Awaits all that is made of an operator's files and variables before it throws a fault; `known`
 * are those of variables.
 *
 * @throws ConfigFault naming the faults of all of them; whatever else one of them throws
 */
export async function withAllFaults<T extends readonly unknown[] | []>(
  makes: T,
  known: readonly string[] = [],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const made = await Promise.allSettled(makes)
  const errors = made.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  const other = errors.find((error) => !(error instanceof ConfigFault))
  if (other !== undefined) throw other
  const faults = [...known, ...errors.flatMap(configFaults)]
  if (faults.length > 0) throw new ConfigFault(faults)
  return Promise.all(makes)
}
