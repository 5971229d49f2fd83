import { z } from 'zod'
import { type Child, startChild } from './child.ts'

/** Where a child listens, as its ready line says. */
const Ready = z.object({
  address: z.object({ port: z.int() }).optional(),
  admin: z.url(),
})
export type Where = z.output<typeof Ready>

/** Ingress and worker, the archiver if there is an archive, the notifier if there are sinks. */
export type Apps = {
  ingress: Child
  worker: Child
  archiver: Child | undefined
  notifier: Child | undefined
}

export type StartApps = {
  env: Record<string, string>
  level: Level
  /** Whether events are to be delivered. */
  notify: boolean
  keepOpen: number
}

/** pino's level numbers. A line without one is not of the log, and always shown. */
const levels = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: 100 }
export type Level = keyof typeof levels
const Line = z.object({ level: z.number() })

/**
 * Starts ingress and worker, and where ARCHIVE_URL is set an archiver. Shows what they log at
 * `level` or above, and all other output.
 */
export function startApps({ env, level, notify, keepOpen }: StartApps): Apps {
  const onLine = (line: string) => {
    if (levelOf(line) >= levels[level]) console.log(line)
  }
  // Their ready line has the level info.
  const LOG_LEVEL = levels[level] < levels.info ? level : 'info'
  const shared = { env: { ...env, LOG_LEVEL }, onLine, keepOpen }
  const ingress = startChild({
    ...shared,
    name: 'ingress',
    entry: 'apps/ingress/src/main.ts',
    ready: '"listening"',
    endsAfter: [],
  })
  const worker = startChild({
    ...shared,
    name: 'worker',
    entry: 'apps/worker/src/main.ts',
    ready: '"working"',
    endsAfter: [ingress.pid],
  })
  const endsAfter = [ingress.pid, worker.pid]
  const archiver = env.ARCHIVE_URL
    ? startChild({
        ...shared,
        name: 'archiver',
        entry: 'apps/archiver/src/main.ts',
        ready: '"archiving"',
        endsAfter,
      })
    : undefined
  const notifier = notify
    ? startChild({
        ...shared,
        name: 'notifier',
        entry: 'apps/notifier/src/main.ts',
        ready: '"notifying"',
        endsAfter,
      })
    : undefined
  return { ingress, worker, archiver, notifier }
}

/** Resolves with where a child listens. */
export const whereIs = async ({ ready }: Child): Promise<Where> =>
  Ready.parse(JSON.parse(await ready))

function levelOf(line: string): number {
  if (!line.startsWith('{')) return Number.POSITIVE_INFINITY
  try {
    return Line.parse(JSON.parse(line)).level
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
