import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** The folder where `npm start` keeps its data, unless DATA_DIR names another one. */
export const DATA_DIR = '.data'

/** What `npm start` runs. It writes this to a file while it is up, for commands and people. */
export const Standalone = z.object({
  pid: z.int(),
  /** The variables of docs/configuration.md that lead to its Redis and its archive. */
  environment: z.record(z.string(), z.string()),
  /** The URL for placing orders. */
  placeOrder: z.url(),
  ingress: z.object({ pid: z.int(), admin: z.url() }),
  worker: z.object({ pid: z.int(), admin: z.url() }),
  /** Undefined without an archive. */
  archiver: z.object({ pid: z.int(), admin: z.url() }).optional(),
  /** Undefined where there are no sinks. */
  notifier: z.object({ pid: z.int(), admin: z.url() }).optional(),
  /** Undefined where the environment names a Redis. */
  redis: z.object({ pid: z.int(), port: z.int() }).optional(),
  /** Undefined without an archive, and where the environment names it. */
  postgres: z.object({ pid: z.int(), port: z.int() }).optional(),
})
export type Standalone = z.output<typeof Standalone>

/** The file it is written to. */
export const standaloneFile = (dataDir: string): string => join(dataDir, 'standalone.json')

/** The `npm start` that uses this folder; undefined if none is up. */
export function runningStandalone(dataDir: string): Standalone | undefined {
  try {
    const written = JSON.parse(readFileSync(standaloneFile(dataDir), 'utf8'))
    const { data } = Standalone.safeParse(written)
    return data !== undefined && isAlive(data.pid) ? data : undefined
  } catch {
    return undefined // There is no file.
  }
}

/** Variables that name a Redis. */
const naming = ['REDIS_URL', 'REDIS_CLUSTER', 'REDIS_SENTINELS'] as const

/**
 * The environment for a command. If it names no Redis, that of the `npm start` that is up on this
 * machine is used, with its archive unless one is named, and a line about it goes to `print`.
 */
export function withStandalone(
  env: Record<string, string | undefined>,
  print: (line: string) => void,
): Record<string, string | undefined> {
  if (naming.some((name) => env[name])) return env
  const up = runningStandalone(env.DATA_DIR || DATA_DIR)
  if (up === undefined) return env
  print(`using the Redis of npm start (pid ${up.pid})`)
  const named = env.ARCHIVE_URL ? { ARCHIVE_URL: env.ARCHIVE_URL } : {}
  return { ...env, ...up.environment, ...named }
}

/** Whether there is a process with this pid. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
