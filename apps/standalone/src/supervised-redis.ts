import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import {
  findRedisServer,
  type LocalRedis,
  type LocalRedisOptions,
  type RedisServer,
  startLocalRedis,
} from '@placeorder/local-services/redis'

/** A Redis of our own, that is started again when it ends by itself. */
export type KeptRedis = {
  url: string
  port: number
  /** Of the server that runs now. */
  readonly pid: number
  /** Names a process that ends before Redis when we are gone. */
  endsAfter: (pid: number) => void
  close: () => Promise<void>
}

export type KeepRedis = {
  dir: string
  keepOpen: number
  say: (line: string) => void
  onRestart: () => void
}

/** Between two attempts to start it again (ms): twice as long each time. */
const AGAIN_MS = { first: 500, max: 30_000 } as const

/** As much as one line says of why a server ended. */
const WHY_LINES = 4

/**
 * Starts a Redis and keeps one running, at the same address and with the same password, until it is closed.
 *
 * @throws when it cannot be started the first time
 */
export async function keepRedis({ say, onRestart, ...where }: KeepRedis): Promise<KeptRedis> {
  const onProgress = (step: string) => say(`${step} …`)
  const server = await findRedisServer(onProgress)
  const options = { ...where, password: randomBytes(24).toString('hex'), onProgress }
  const closing = new AbortController()
  const first: number[] = []
  let redis = await startLocalRedis(server, options)
  const { url, port } = redis
  say(`started ${nameOf(server)} on port ${port}, durable, in ${where.dir}`)
  const keeping = (async () => {
    for (;;) {
      const how = await redis.ended
      if (closing.signal.aborted) return
      say(`Redis ended by itself (${why(how)}); starting it again`)
      const started = await startAgain(server, { ...options, port }, say, closing.signal)
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
      await keeping
    },
  }
}

/** Tries until it is up, or until it is to be closed. */
async function startAgain(
  server: RedisServer,
  options: LocalRedisOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<LocalRedis | undefined> {
  for (let ms: number = AGAIN_MS.first; ; ms = Math.min(2 * ms, AGAIN_MS.max)) {
    await wait(ms, undefined, { signal }).catch(() => {})
    if (signal.aborted) return undefined
    try {
      return await startLocalRedis(server, options)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      say(`Redis cannot be started (${why(reason)}); trying again`)
    }
  }
}

const nameOf = (server: RedisServer): string => {
  const what = server.kind === 'binary' ? server.command : `${server.image} in Docker`
  return `${what} ${server.version}`
}

/** The first line and the last ones. */
function why(said: string): string {
  const [head = '', ...rest] = said.trim().split('\n')
  return [head, ...rest.slice(-WHY_LINES)].join('\n    ')
}
