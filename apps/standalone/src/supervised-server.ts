import { setTimeout as wait } from 'node:timers/promises'
import type { LocalPostgres } from '@placeorder/local-services/postgres'
import type { LocalRedis } from '@placeorder/local-services/redis'

/** A server that is started again whenever it ends by itself. */
export type SupervisedServer = {
  url: string
  port: number
  /** The process id of the current server. */
  readonly pid: number
  /** Names a process that ends before the server when this process has ended. */
  endsAfter: (pid: number) => void
  close: () => Promise<void>
}

type LocalServer = LocalRedis | LocalPostgres

export type SuperviseOptions = {
  /** As people know it. */
  name: string
  /** Starts it at a port, with the data and the password it had before; 0 takes a free port. */
  start: (port: number) => Promise<LocalServer>
  say: (line: string) => void
  onRestart: () => void
}

/** The pause between attempts to restart it (ms), doubled each time. */
const RESTART_MS = { first: 500, max: 30_000 } as const

/** How many lines of a server's last output are shown. */
const WHY_LINES = 4

/**
 * Starts a server and keeps it running at the same port until `close`.
 *
 * @throws if it cannot be started the first time
 */
export async function supervise({
  name,
  start,
  say,
  onRestart,
}: SuperviseOptions): Promise<SupervisedServer> {
  const closing = new AbortController()
  const first: number[] = []
  let server = await start(0)
  const { url, port } = server
  const supervising = (async () => {
    for (;;) {
      const how = await server.ended
      if (closing.signal.aborted) return
      say(`${name} ended by itself (${why(how)}); restarting it`)
      const started = await restart({ name, start: () => start(port), say }, closing.signal)
      if (started === undefined) return
      server = started
      for (const pid of first) server.endsAfter(pid)
      onRestart()
      say(`${name} is up again`)
    }
  })()
  return {
    url,
    port,
    get pid() {
      return server.process.pid ?? -1
    },
    endsAfter: (pid) => {
      first.push(pid)
      server.endsAfter(pid)
    },
    close: async () => {
      closing.abort()
      await server.stop()
      await supervising
    },
  }
}

/** Retries until it is up or `signal` aborts. */
async function restart(
  {
    name,
    start,
    say,
  }: { name: string; start: () => Promise<LocalServer>; say: SuperviseOptions['say'] },
  signal: AbortSignal,
): Promise<LocalServer | undefined> {
  for (let ms: number = RESTART_MS.first; ; ms = Math.min(2 * ms, RESTART_MS.max)) {
    await wait(ms, undefined, { signal }).catch(() => {})
    if (signal.aborted) return undefined
    try {
      return await start()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      say(`${name} cannot be restarted (${why(reason)}); retrying`)
    }
  }
}

/** The first line and the last ones. */
function why(output: string): string {
  const [head = '', ...rest] = output.trim().split('\n')
  return [head, ...rest.slice(-WHY_LINES)].join('\n    ')
}
