import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { spawnBound } from './bound-process.ts'
import { answers, during, freePort, ownServer, run } from './server-process.ts'

// A PostgreSQL for people and tests without one: a server process of their own on this machine, as
// durable as an archive needs.

/** A PostgreSQL that is installed here. */
export type PostgresServer = {
  /** The folder of its programs. */
  bin: string
  version: string
  major: number
}

export type LocalPostgresOptions = {
  /** Where its files are kept. */
  dir: string
  /** 0, the default, takes a free port. */
  port?: number
  /** Further arguments of postgres. */
  args?: string[]
  /** An open file that the server keeps open, such as one that is locked. */
  keepOpen?: number
  /**
   * Makes its files without syncing them: a third of the time, for tests. What is committed later
   * is synced as ever.
   */
  quick?: boolean
  /** Called with each step that takes longer than a second. */
  onProgress?: (step: string) => void
}

export type LocalPostgres = {
  /** With the password. */
  url: string
  port: number
  process: ChildProcess
  /** Resolves with how it ended, and the last part of its output. */
  ended: Promise<string>
  /** Names a process that ends before the server when this process is gone. */
  endsAfter: (pid: number) => void
  /** Ends it and waits for its end, 5 s at most; then it is killed. */
  stop: () => Promise<void>
}

/** 14 is the oldest that PostgreSQL's own project still maintained when this was written. */
const VERSION_MIN = 14

/** Where Debian keeps each version's programs: they are not on the PATH. */
const DEBIAN = '/usr/lib/postgresql'

/** How long a server may take to recover at the start (ms). */
const START_MS_MAX = 120_000
const READY_AGAIN_MS = 50

const USER = 'placeorder'

/** No PostgreSQL can be found or installed; the message says what to install. */
export class NoPostgres extends Error {
  override readonly name = 'NoPostgres'
}

/**
 * Finds a PostgreSQL, or installs one: on the PATH; in Debian's folders; by apt-get on Debian or
 * Ubuntu. Of several it is the one that made the files in `dir`, else the newest.
 *
 * @throws NoPostgres
 */
export async function findPostgresServer(
  dir: string,
  onProgress: (step: string) => void = () => {},
): Promise<PostgresServer> {
  const reasons: string[] = []
  const found = await installed(dir, reasons)
  if (found !== undefined) return found
  if (process.getuid?.() === 0 && (await answers('apt-get', ['--version']))) {
    await during('installing postgresql with apt-get', onProgress, installFromDebian).catch(
      (cause: Error) => reasons.push(`apt-get could not install postgresql: ${cause.message}`),
    )
    const server = await installed(dir, reasons)
    if (server !== undefined) return server
  }
  throw new NoPostgres(
    [
      'there is no PostgreSQL on this machine, and none could be installed.',
      ...new Set(reasons.map((reason) => `  - ${reason}`)),
      `Install PostgreSQL ${VERSION_MIN} or newer`,
      '("apt-get install postgresql", "brew install postgresql@17"),',
      'or set ARCHIVE_URL to one that is there.',
    ].join('\n'),
  )
}

async function installed(dir: string, reasons: string[]): Promise<PostgresServer | undefined> {
  const made = await madeBy(dataIn(dir))
  const versions = await readdir(DEBIAN).catch(() => [])
  const folders = versions.map((version) => join(DEBIAN, version, 'bin'))
  const { stdout } = await run('sh', ['-c', 'command -v postgres || true'])
  const onPath = stdout === '' ? [] : [dirname(stdout.trim())]
  const servers: PostgresServer[] = []
  for (const bin of new Set([...onPath, ...folders])) {
    const server = await serverIn(bin)
    if (server === undefined) continue
    if (server.major < VERSION_MIN)
      reasons.push(`${bin} has ${server.version}: ${VERSION_MIN} or newer is needed`)
    else if (made !== undefined && made !== server.major)
      reasons.push(`${bin} has ${server.version}: the files in ${dir} are of PostgreSQL ${made}`)
    else servers.push(server)
  }
  return servers.sort((a, b) => b.major - a.major)[0]
}

async function serverIn(bin: string): Promise<PostgresServer | undefined> {
  const { stdout } = await run(join(bin, 'postgres'), ['--version']).catch(() => ({ stdout: '' }))
  const version = /\(PostgreSQL\) (\d+[.\w]*)/.exec(stdout)?.[1]
  if (version === undefined) return undefined
  // Its other programs need not be linked beside a link to it.
  const itself = await realpath(join(bin, 'postgres'))
  return { bin: dirname(itself), version, major: Number.parseInt(version, 10) }
}

/** The version that made the files of a folder; undefined if there are none. */
async function madeBy(data: string): Promise<number | undefined> {
  const text = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number.parseInt(text, 10)
}

/** Debian makes a cluster and starts it after an install; it is asked for neither. */
async function installFromDebian(): Promise<void> {
  const apt = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get']
  const install = [...apt, 'install', '-y', '-qq', '--no-install-recommends']
  await run('env', [...apt, 'update', '-qq'])
  await run('env', [...install, 'postgresql-common'])
  const conf = '/etc/postgresql-common/createcluster.conf'
  const text = await readFile(conf, 'utf8').catch(() => '')
  if (!/^create_main_cluster/m.test(text))
    await writeFile(conf, `${text}\ncreate_main_cluster = false\n`)
  await run('env', [...install, 'postgresql'])
}

/** Whom the server runs as: PostgreSQL refuses root. */
type Owner = { uid: number; gid: number; name: string }

/**
 * Starts a server on 127.0.0.1 alone that syncs each commit, making its files the first time. It
 * ends with this process, whatever ends that.
 *
 * @throws if it ends at once or does not answer in time, with its output
 */
export async function startLocalPostgres(
  server: PostgresServer,
  options: LocalPostgresOptions,
): Promise<LocalPostgres> {
  const { args = [], keepOpen, onProgress = () => {} } = options
  const dir = resolve(options.dir)
  const owner = await ownerHere()
  const password = await prepare(server, owner, { ...options, dir, onProgress })
  const port = options.port || (await freePort())
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'on',
    synchronous_commit: 'on',
  }
  const all = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const data = dataIn(dir)
  const bound = spawnBound(join(server.bin, 'postgres'), ['-D', data, ...all, ...args], {
    ...owner,
    cwd: data,
    keepOpen,
    endSignal: 'INT', // Fast: SIGTERM would wait for its clients to leave.
  })
  const { process: child, endsAfter } = bound
  // At our exit, SIGKILL would leave its children behind.
  const { ended, stop } = ownServer(child, { stopSignal: 'SIGINT', exitSignal: 'SIGINT' })
  const early = ended.then((how) => {
    throw new Error(`PostgreSQL ended: ${how}`)
  })
  early.catch(() => {}) // It matters only until the server is ready.
  await during('waiting for PostgreSQL to be ready', onProgress, () =>
    Promise.race([untilReady(port), early]),
  )
  const url = `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`
  return { url, port, process: child, ended, endsAfter, stop }
}

const dataIn = (dir: string): string => join(dir, 'data')

/** The user whom a root lets the server run as; undefined: it runs as ourselves. */
async function ownerHere(): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const users = await readFile('/etc/passwd', 'utf8')
  const found = ['postgres', 'nobody'].map((name) =>
    new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users),
  )
  const [line, uid, gid] = found.find((match) => match !== null) ?? []
  if (line === undefined) throw new NoPostgres('PostgreSQL refuses to run as root: add a user')
  return { uid: Number(uid), gid: Number(gid), name: line.split(':')[0] ?? '' }
}

/** Makes the server's files, whole or not at all, if there are none. Resolves with the password. */
async function prepare(
  server: PostgresServer,
  owner: Owner | undefined,
  { dir, quick = false, onProgress = () => {} }: LocalPostgresOptions,
): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if (owner !== undefined) await letThrough(dir, owner)
  const secret = join(dir, 'password')
  if ((await madeBy(dataIn(dir))) !== undefined) return readFile(secret, 'utf8')
  const password = randomBytes(24).toString('hex')
  await writeFile(secret, password, { mode: 0o600 })
  const own = (path: string) => owner && chown(path, owner.uid, owner.gid)
  const [half, given] = [join(dir, 'data.new'), join(dir, 'password.new')]
  await rm(half, { recursive: true, force: true })
  await mkdir(half, { mode: 0o700 })
  await writeFile(given, password, { mode: 0o600 })
  await Promise.all([own(half), own(given)])
  const login = ['--username', USER, '--auth=scram-sha-256', `--pwfile=${given}`]
  const how = ['--encoding=UTF8', '--locale=C', '--data-checksums', ...(quick ? ['-N'] : [])]
  const args = ['-D', half, ...login, ...how]
  await during('making the files of PostgreSQL', onProgress, () =>
    run(join(server.bin, 'initdb'), args, { ...owner, cwd: half }),
  )
  await rm(given)
  await rename(half, dataIn(dir))
  return password
}

/**
 * Lets the server's user pass through our folder, which only we may list; those above it are not
 * ours to open.
 */
async function letThrough(dir: string, { uid, gid, name }: Owner): Promise<void> {
  await chmod(dir, 0o711)
  const passes = await run('test', ['-x', dir], { uid, gid, cwd: '/' }).then(
    () => true,
    () => false,
  )
  if (!passes)
    throw new NoPostgres(
      `PostgreSQL refuses to run as root, and its user ${name} cannot enter ${dir}: ` +
        'let it pass through the folders above (chmod o+x), run as another user, ' +
        'or set ARCHIVE_URL',
    )
}

/** Resolves once the server takes connections: it has recovered. */
async function untilReady(port: number): Promise<void> {
  const until = performance.now() + START_MS_MAX
  while (!(await asksForPassword(port))) {
    if (performance.now() > until)
      throw new Error(`PostgreSQL did not answer within ${START_MS_MAX} ms`)
    await wait(READY_AGAIN_MS)
  }
}

/** What opens a connection: its length, the protocol's version 3.0, and who comes. */
const hello = Buffer.from(`\0\0\0\0\0\x03\0\0user\0${USER}\0database\0postgres\0\0`)
hello.writeInt32BE(hello.length)

/** Whether a server answers with R, a request to log in; while it recovers it says E, an error. */
async function asksForPassword(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1', () => socket.write(hello))
  socket.setTimeout(1_000, () => socket.destroy())
  try {
    for await (const chunk of socket) return Buffer.from(chunk).at(0) === 'R'.charCodeAt(0)
    return false
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
