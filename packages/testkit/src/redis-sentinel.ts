import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  findRedisServer,
  freePort,
  type LocalRedis,
  startLocalRedis,
} from '@placeorder/local-services/redis'
import { Redis } from 'ioredis'

/**
 * A durable master and replica, with a sentinel that promotes the replica when the master fails.
 */
export type SentinelPair = {
  /** The value of REDIS_SENTINELS. */
  sentinel: string
  /**
   * The ports of the server that is master at first: one for looking, and the one that clients are
   * sent to.
   */
  master: { plain: number; seen: number }
  /** The value of REDIS_SENTINEL_NAME. */
  name: string
  /** Kills the master; resolves when the replica is master. */
  failOver: () => Promise<void>
  /** Starts the killed server again, as a replica of the other. */
  bringBack: () => Promise<void>
  close: () => Promise<void>
}

/** The master's name at sentinels. */
export const sentinelMaster = 'orders'

/**
 * How long a master may be silent until it counts as down (ms). A sentinel asks once a second, and
 * for the first time a second after it took a new master: with 1,000 here it takes that one for
 * dead now and then, and for 10 s there are two masters.
 */
const DOWN_AFTER_MS = 2_000

/** How long a resynchronization or a failover may take (ms). */
const CHANGE_MS_MAX = 30_000

/**
 * How the pair is guarded. Whoever asks the sentinel who is master must be `sentinelUser`. With
 * `tls` all of them speak it, at ports of their own, and ask for a certificate; the plain ports are
 * for looking.
 */
export type Guarded = {
  sentinelUser?: { name: string; password: string }
  tls?: { ca: string; cert: string; key: string }
  /** Further arguments of the servers. */
  args?: string[]
}

export async function startSentinelPair(guarded: Guarded = {}): Promise<SentinelPair> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-sentinel-'))
  const binary = await findRedisServer()
  const ports = { one: await freePort(), two: await freePort() }
  const seen = guarded.tls ? { one: await freePort(), two: await freePort() } : ports
  const start = (name: 'one' | 'two', args: string[] = []) =>
    startLocalRedis(binary, {
      dir: join(dir, name),
      port: ports[name],
      args: ['--repl-diskless-sync-delay', '0', ...tlsArgs(seen[name], guarded), ...args],
    })
  const one = await start('one')
  const two = await start('two', replicaOf(seen.one))
  await until(ports.one, (info) => /state=online/.test(info))
  const port = await freePort()
  const sentinelPort = guarded.tls ? await freePort() : port
  const sentinel = await startSentinel(dir, port, seen.one, sentinelLines(sentinelPort, guarded))
  let killed: LocalRedis | undefined
  return {
    sentinel: `127.0.0.1:${sentinelPort}`,
    master: { plain: ports.one, seen: seen.one },
    name: sentinelMaster,
    failOver: async () => {
      killed = one
      one.process.kill('SIGKILL')
      await until(ports.two, (info) => /role:master/.test(info))
    },
    bringBack: async () => {
      if (killed === undefined) return
      killed = await start('one', replicaOf(seen.two))
      await until(ports.two, (info) => /state=online/.test(info))
    },
    close: async () => {
      sentinel.kill('SIGKILL')
      await Promise.all([one.stop(), two.stop(), killed?.stop()])
      await rm(dir, { recursive: true, force: true })
    },
  }
}

const replicaOf = (port: number) => ['--replicaof', '127.0.0.1', String(port)]

const settingsOf = (port: number, { ca, cert, key }: { ca: string; cert: string; key: string }) => [
  ['tls-port', String(port)],
  ['tls-ca-cert-file', ca],
  ['tls-cert-file', cert],
  ['tls-key-file', key],
  ['tls-replication', 'yes'],
]

const tlsArgs = (port: number, { tls, args = [] }: Guarded): string[] => [
  ...(tls ? settingsOf(port, tls).flatMap(([name, value = '']) => [`--${name}`, value]) : []),
  ...args,
]

function sentinelLines(port: number, { tls, sentinelUser }: Guarded): string[] {
  const user = sentinelUser && [
    `user ${sentinelUser.name} on >${sentinelUser.password} -@all +sentinel`,
    'user default on nopass -@all +info +hello +client +ping +publish +subscribe',
  ]
  return [...(tls ? settingsOf(port, tls).map((words) => words.join(' ')) : []), ...(user ?? [])]
}

/** Starts a sentinel that monitors the master on port `master`, with its file in `dir`. */
export async function startSentinel(
  dir: string,
  port: number,
  master: number,
  more: string[] = [],
) {
  const file = join(dir, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor ${sentinelMaster} 127.0.0.1 ${master} 1`,
    `sentinel down-after-milliseconds ${sentinelMaster} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${sentinelMaster} 5000`,
    ...more,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  const server = await findRedisServer()
  const command = server.kind === 'binary' ? server.command : 'redis-server'
  const child = spawn(command, [file, '--sentinel'], { stdio: 'ignore' })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.off('exit', kill))
  await until(port, (info) => /status=ok,address=\S+,slaves=1/.test(info), 'sentinel')
  return child
}

/** Waits until a section of a server's INFO fulfils `fits`. */
async function until(
  port: number,
  fits: (info: string) => boolean,
  section = 'replication',
): Promise<void> {
  const connection = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50 })
  connection.on('error', () => {}) // It is not there yet.
  const deadline = performance.now() + CHANGE_MS_MAX
  try {
    for (;;) {
      const info = await connection.info(section)
      if (fits(info)) return
      if (performance.now() > deadline) throw new Error(`timed out waiting for a change:\n${info}`)
      await wait(20)
    }
  } finally {
    connection.disconnect()
  }
}
