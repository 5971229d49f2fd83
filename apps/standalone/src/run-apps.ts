import { z } from 'zod'
import { type Child, startChild } from './child.ts'

/** Where a child listens, as its ready line says. */
const Ready = z.object({
  address: z.object({ port: z.int() }).optional(),
  admin: z.url(),
})
export type Where = z.output<typeof Ready>

/** Ingress and worker, and the notifier if there are sinks. */
export type Apps = {
  ingress: Child
  worker: Child
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

/** What all share: what they log at `level` or above is shown, and all other output. */
function shared({ env, level, keepOpen }: Omit<StartApps, 'notify'>) {
  const onLine = (line: string) => {
    if (levelOf(line) >= levels[level]) console.log(line)
  }
  // Their ready line has the level info.
  const LOG_LEVEL = levels[level] < levels.info ? level : 'info'
  return { env: { ...env, LOG_LEVEL }, onLine, keepOpen }
}

/** Starts what takes and decides orders, and what reports them from the first one on. */
export function startApps({ notify, ...options }: StartApps): Apps {
  const ingress = startChild({
    ...shared(options),
    name: 'ingress',
    entry: 'apps/ingress/src/main.ts',
    ready: '"listening"',
    endsAfter: [],
  })
  const worker = startChild({
    ...shared(options),
    name: 'worker',
    entry: 'apps/worker/src/main.ts',
    ready: '"working"',
    endsAfter: [ingress.pid],
  })
  const notifier = notify
    ? startChild({
        ...shared(options),
        name: 'notifier',
        entry: 'apps/notifier/src/main.ts',
        ready: '"notifying"',
        endsAfter: [ingress.pid, worker.pid],
      })
    : undefined
  return { ingress, worker, notifier }
}

/** Starts an archiver. */
export const startArchiver = (
  options: Omit<StartApps, 'notify'>,
  { ingress, worker }: Apps,
): Child =>
  startChild({
    ...shared(options),
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    ready: '"archiving"',
    endsAfter: [ingress.pid, worker.pid],
  })

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
