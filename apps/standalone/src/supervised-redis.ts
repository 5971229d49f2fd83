import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  findRedisServer,
  type LocalRedis,
  type LocalRedisOptions,
  type RedisServer,
  startLocalRedis,
} from '@placeorder/local-services/redis'

/** A Redis that is started again whenever it ends by itself. */
export type SupervisedRedis = {
  url: string
  port: number
  /** The process id of the current server. */
  readonly pid: number
  /** Names a process that ends before Redis when this process has ended. */
  endsAfter: (pid: number) => void
  close: () => Promise<void>
}

export type SuperviseOptions = {
  dir: string
  keepOpen: number
  say: (line: string) => void
  onRestart: () => void
}

/** The pause between attempts to restart it (ms), doubled each time. */
const RESTART_MS = { first: 500, max: 30_000 } as const

/** How many lines of a server's last output are shown. */
const WHY_LINES = 4

/**
 * Starts a Redis and keeps it running at the same address and with the same password until `close`.
 *
 * @throws if it cannot be started the first time
 */
export async function superviseRedis({
  say,
  onRestart,
  ...where
}: SuperviseOptions): Promise<SupervisedRedis> {
  const onProgress = (step: string) => say(`${step} …`)
  const server = await findRedisServer(onProgress)
  const options = { ...where, password: randomBytes(24).toString('hex'), onProgress }
  const closing = new AbortController()
  const first: number[] = []
  let redis = await startLocalRedis(server, options)
  const { url, port } = redis
  say(`started ${nameOf(server)} on port ${port}, durable, in ${where.dir}`)
  const supervising = (async () => {
    for (;;) {
      const how = await redis.ended
      if (closing.signal.aborted) return
      say(`Redis ended by itself (${why(how)}); restarting it`)
      const started = await restart(server, { ...options, port }, say, closing.signal)
      if (started === undefined) return
      redis = started
      for (const pid of first) redis.endsAfter(pid)
      say('Redis is up again')
      onRestart()
    }
  })()
  return {
    url,
    port,
    get pid() {
      return redis.process.pid ?? -1
    },
    endsAfter: (pid) => {
      first.push(pid)
      redis.endsAfter(pid)
    },
    close: async () => {
      closing.abort()
      await redis.stop()
      await supervising
    },
  }
}

/** Retries until it is up or `signal` aborts. */
async function restart(
  server: RedisServer,
  options: LocalRedisOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<LocalRedis | undefined> {
  for (let ms: number = RESTART_MS.first; ; ms = Math.min(2 * ms, RESTART_MS.max)) {
    await wait(ms, undefined, { signal }).catch(() => {})
    if (signal.aborted) return undefined
    try {
      return await startLocalRedis(server, options)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      say(`Redis cannot be restarted (${why(reason)}); retrying`)
    }
  }
}

const nameOf = (server: RedisServer): string => {
  const what = server.kind === 'binary' ? server.command : `${server.image} in Docker`
  return `${what} ${server.version}`
}

/** The first line and the last ones. */
function why(output: string): string {
  const [head = '', ...rest] = output.trim().split('\n')
  return [head, ...rest.slice(-WHY_LINES)].join('\n    ')
}
