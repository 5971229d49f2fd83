import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type BoundOptions, FOLDER, KEPT_OPEN, spawnBound } from './bound-process.ts'
import { dataIn, madeBy, NoPostgres, type PostgresServer } from './find-postgres.ts'
import { during, freePort, type OwnedServer, ownServer } from './server-process.ts'

export { findPostgresServer, NoPostgres, type PostgresServer } from './find-postgres.ts'

// A PostgreSQL for people and tests without one: a server process of their own on this machine, as
// durable as an archive needs.

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

/** How long a server may take to recover at the start (ms). */
const START_MS_MAX = 120_000
const READY_AGAIN_MS = 50

const USER = 'placeorder'

/** Whom the server runs as: PostgreSQL refuses root. */
type Owner = { uid: number; gid: number }

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
  const program = { path: join(server.bin, 'postgres'), args: [...all, ...args] }
  const started = await startIn(dataIn(dir), program, owner, { keepOpen })
  const { process: child, endsAfter, ended, stop } = started
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

type Started = OwnedServer & Pick<LocalPostgres, 'process' | 'endsAfter'>

/**
 * Starts a program of PostgreSQL on its folder. Another user may not pass through the folders
 * above, which are ours alone, and is given it open.
 */
async function startIn(
  data: string,
  { path, args }: { path: string; args: string[] },
  owner: Owner | undefined,
  options: Pick<BoundOptions, 'keepOpen'> = {},
): Promise<Started> {
  const folder = owner && (await open(data, 'r'))
  try {
    const bound = spawnBound(path, ['-D', folder === undefined ? data : FOLDER, ...args], {
      ...options,
      ...owner,
      cwd: '/',
      folder: folder?.fd,
      endSignal: 'INT', // Fast: SIGTERM would wait for its clients to leave.
    })
    // At our exit, SIGKILL would leave its children behind.
    const signals = { stopSignal: 'SIGINT', exitSignal: 'SIGINT' } as const
    return { ...bound, ...ownServer(bound.process, signals) }
  } finally {
    await folder?.close()
  }
}

/** The user whom a root lets the server run as; undefined: it runs as ourselves. */
async function ownerHere(): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined
  if (process.platform !== 'linux')
    throw new NoPostgres(['PostgreSQL refuses to run as root: run as another user'])
  const users = await readFile('/etc/passwd', 'utf8')
  const found = ['postgres', 'nobody'].map((name) =>
    new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users),
  )
  const [, uid, gid] = found.find((match) => match !== null) ?? []
  if (uid === undefined)
    throw new NoPostgres(['PostgreSQL refuses to run as root: add a user postgres'])
  return { uid: Number(uid), gid: Number(gid) }
}

/** Makes the server's files, whole or not at all, if there are none. Resolves with the password. */
async function prepare(
  server: PostgresServer,
  owner: Owner | undefined,
  { dir, quick = false, onProgress = () => {} }: LocalPostgresOptions,
): Promise<string> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
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
  const login = [
    '--username',
    USER,
    '--auth=scram-sha-256',
    `--pwfile=${owner ? KEPT_OPEN : given}`,
  ]
  const how = ['--encoding=UTF8', '--locale=C', '--data-checksums', ...(quick ? ['-N'] : [])]
  const initdb = { path: join(server.bin, 'initdb'), args: [...login, ...how] }
  await during('making the files of PostgreSQL', onProgress, async () => {
    const passwordFile = await open(given, 'r')
    const started = await startIn(half, initdb, owner, { keepOpen: passwordFile.fd })
    await passwordFile.close()
    const end = await started.ended
    if (started.process.exitCode !== 0) throw new Error(`initdb failed: ${end}`)
  })
  await rm(given)
  await rename(half, dataIn(dir))
  return password
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
