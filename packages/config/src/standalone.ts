import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** What `npm start` keeps its data in, unless DATA_DIR names another folder. */
export const DATA_DIR = '.data'

/** What `npm start` runs, as it writes it down for commands and people while it is up. */
export const Standalone = z.object({
  pid: z.int(),
  /** How its Redis is found, in the variables of docs/configuration.md. */
  environment: z.record(z.string(), z.string()),
  /** Where it takes orders. */
  placeOrder: z.url(),
  ingress: z.object({ pid: z.int(), admin: z.url() }),
  worker: z.object({ pid: z.int(), admin: z.url() }),
  /** Undefined where the environment named one. */
  redis: z.object({ pid: z.int(), port: z.int() }).optional(),
})
export type Standalone = z.output<typeof Standalone>

/** Where it is written. */
export const standaloneFile = (dataDir: string): string => join(dataDir, 'standalone.json')

/** The `npm start` that keeps its data in this folder; undefined if none is up. */
export function standaloneIn(dataDir: string): Standalone | undefined {
  try {
    const written = JSON.parse(readFileSync(standaloneFile(dataDir), 'utf8'))
    const { data } = Standalone.safeParse(written)
    return data !== undefined && isAlive(data.pid) ? data : undefined
  } catch {
    return undefined // There is none, or it is being written.
  }
}

/** Variables that name a Redis. */
const naming = ['REDIS_URL', 'REDIS_CLUSTER', 'REDIS_SENTINELS'] as const

/**
 * The environment for a command: where it names no Redis, that of the `npm start` that is up on this machine, which `say` is told
 * of.
 */
export function withStandalone(
  env: Record<string, string | undefined>,
  say: (line: string) => void,
): Record<string, string | undefined> {
  if (naming.some((name) => env[name])) return env
  const up = standaloneIn(env.DATA_DIR || DATA_DIR)
  if (up === undefined) return env
  say(`using the Redis of npm start (pid ${up.pid})`)
  return { ...env, ...up.environment }
}

/** Whether there is a process with this pid. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
