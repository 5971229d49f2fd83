import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { type BoundOptions, type BoundProcess, spawnBound } from './bound-process.ts'
import { answers, aptInstall, during, freePort, ownServer, run } from './server-process.ts'

export { freePort } from './server-process.ts'

// A Redis for people and tests without one: a server process of their own on this machine, as
// durable as orders need it.

/** How to run a Redis server here. */
export type RedisServer =
  | { kind: 'binary'; command: string; version: string }
  | { kind: 'docker'; image: string; version: string }

export type LocalRedisOptions = {
  /** The folder of its append-only file. */
  dir: string
  /** 0, the default, takes a free port. */
  port?: number
  /** Further arguments of redis-server. */
  args?: string[]
  /** Letters and digits. It is stored in a file of `dir`: all on this machine see arguments. */
  password?: string
  /** An open file that the server keeps open, such as a lock. */
  keepOpen?: number
  /** Called with each step that takes longer than a second. */
  onProgress?: (step: string) => void
}

export type LocalRedis = {
  /** With the password, if there is one. */
  url: string
  port: number
  process: ChildProcess
  /** Resolves with how it ended, and the last part of its output. */
  ended: Promise<string>
  /** Names a process that must end before the server when this process is gone. */
  endsAfter: (pid: number) => void
  /** Ends it; kills it after 5 s. */
  stop: () => Promise<void>
}

/** With no field longer than this (bytes) a record is one listpack: 520 bytes an order, not 940. */
const FIELD_BYTES_MAX = 1_024

const VERSION_MIN = 7
const IMAGE = 'redis:7.4.2-alpine'

/** How long a server may take to read its append-only file at the start (ms). */
const START_MS_MAX = 120_000

/**
 * A configuration that redis-server reads before its arguments; in its folder, which is its working
 * directory.
 */
const SECRET_FILE = 'password.conf'

/** No Redis can be found or installed; the message says what to install. */
export class NoRedis extends Error {
  override readonly name = 'NoRedis'
}

/**
 * Finds a Redis server, or installs one: valkey-server or redis-server on the PATH; Docker; apt-get
 * on Debian or Ubuntu.
 *
 * @throws NoRedis
 */
export async function findRedisServer(
  onProgress: (step: string) => void = () => {},
): Promise<RedisServer> {
  const reasons: string[] = []
  const found = (await binary('valkey-server', reasons)) ?? (await binary('redis-server', reasons))
  if (found !== undefined) return found
  if (await answers('docker', ['info'])) return { kind: 'docker', image: IMAGE, version: '7' }
  if (process.getuid?.() === 0 && (await answers('apt-get', ['--version']))) {
    const install = () => aptInstall('redis-server')
    await during('installing redis-server with apt-get', onProgress, install).catch(
      (cause: Error) => reasons.push(`apt-get could not install redis-server: ${cause.message}`),
    )
    const installed = await binary('redis-server', reasons)
    if (installed !== undefined) return installed
  }
  throw new NoRedis(
    [
      'there is no Redis server on this machine, and none could be installed.',
      ...reasons.map((reason) => `  - ${reason}`),
      'Install Redis 7.0 or newer, or Valkey: "apt-get install redis-server",',
      '"brew install redis" or "brew install valkey"; or start Docker;',
      'or set REDIS_URL to a Redis that is running.',
    ].join('\n'),
  )
}

async function binary(command: string, reasons: string[]): Promise<RedisServer | undefined> {
  const { stdout } = await run(command, ['--version']).catch(() => ({ stdout: '' }))
  const version = /v=(\d+\.\d+(?:\.\d+)?)/.exec(stdout)?.[1]
  if (version === undefined) return undefined
  if (Number.parseInt(version, 10) >= VERSION_MIN) return { kind: 'binary', command, version }
  reasons.push(`${command} is ${version}: ${VERSION_MIN}.0 or newer is needed`)
  return undefined
}

/** Synced before each reply, and never evicted. */
const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
const memory = ['--maxmemory-policy', 'noeviction']
const small = ['--hash-max-listpack-value', String(FIELD_BYTES_MAX)]

/**
 * Starts a server on 127.0.0.1 that syncs each write before it replies and never evicts. It ends
 * with this process, however this process ends.
 *
 * @throws if it ends at once or does not answer in time, with its output
 */
export async function startLocalRedis(
  server: RedisServer,
  options: LocalRedisOptions,
): Promise<LocalRedis> {
  const { dir, args = [], password, keepOpen, onProgress = () => {} } = options
  await mkdir(dir, { recursive: true })
  const secret = await writeSecret(dir, password)
  const port = options.port || (await freePort())
  const all = [...secret, '--port', String(port), ...durable, ...memory, ...small, ...args]
  const bound = spawnServer(server, resolve(dir), all, { keepOpen })
  const { process: child, endsAfter } = bound
  const { ended, stop } = ownServer(child)
  const early = ended.then((how) => {
    throw new Error(`Redis ended: ${how}`)
  })
  early.catch(() => {}) // It matters only until the server is ready.
  const url = `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`
  await during('waiting for Redis to be ready', onProgress, () =>
    Promise.race([untilReady(port, password), early]),
  )
  return { url, port, process: child, ended, endsAfter, stop }
}

/** Writes the server's password to a file that only its owner can read. */
async function writeSecret(dir: string, password: string | undefined): Promise<string[]> {
  if (password === undefined) return []
  await writeFile(join(dir, SECRET_FILE), `requirepass ${password}\n`, { mode: 0o600 })
  return [SECRET_FILE]
}

function spawnServer(
  server: RedisServer,
  dir: string,
  args: string[],
  options: BoundOptions,
): BoundProcess {
  const bound = ['--bind', '127.0.0.1', '--dir']
  if (server.kind === 'binary')
    return spawnBound(server.command, [...args, ...bound, dir], { ...options, cwd: dir })
  // A container outlives its client: by its name, Docker starts no second one in this folder.
  const name = `placeorder-redis-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`
  const mounts = ['--network', 'host', '--volume', `${dir}:/data`]
  const container = ['run', '--rm', '--init', '--name', name, ...mounts, server.image]
  const command = ['redis-server', ...args, ...bound, '/data']
  return spawnBound('docker', [...container, ...command], options)
}

/** How long a server may take to reply to one PING, and how long until the next one (ms). */
const PING_MS_MAX = 1_000
const PING_AGAIN_MS = 20

/** Resolves once a server replies PONG: it runs and has read its file. */
async function untilReady(port: number, password: string | undefined): Promise<void> {
  const until = performance.now() + START_MS_MAX
  for (;;) {
    const reply = await ping(port, password).catch(({ message }: Error) => message)
    if (reply.includes('+PONG')) return
    if (performance.now() > until)
      throw new Error(`Redis did not answer within ${START_MS_MAX} ms: ${reply.trim()}`)
    await wait(PING_AGAIN_MS)
  }
}

/** Returns a server's raw reply to PING: `+PONG`, or an error such as `-LOADING`. */
function ping(port: number, password: string | undefined): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.setTimeout(PING_MS_MAX, () => socket.destroy(new Error('no reply')))
  socket.end(`${password === undefined ? '' : `AUTH ${password}\r\n`}PING\r\nQUIT\r\n`)
  return text(socket).finally(() => socket.destroy())
}
