import { execFile } from 'node:child_process'
import { chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  findPostgresServer,
  type LocalPostgres,
  type PostgresServer,
  startLocalPostgres,
} from '@placeorder/local-services/postgres'
import { freePort } from '@placeorder/local-services/redis'

const run = promisify(execFile)

/** Its write-ahead log stays small: its disk is, and its files are copied. */
const ARGS = ['-c', 'max_wal_size=128MB', '-c', 'min_wal_size=32MB']

/** A PostgreSQL that is killed or stopped, and goes on at the same port with what it committed. */
export class PostgresNode {
  readonly name = 'PostgreSQL'
  readonly port: number
  readonly #server: PostgresServer
  readonly #dir: string
  #running: LocalPostgres

  private constructor(server: PostgresServer, dir: string, running: LocalPostgres) {
    this.#server = server
    this.#dir = dir
    this.port = running.port
    this.#running = running
  }

  static async open(dir: string): Promise<PostgresNode> {
    const server = await findPostgresServer(dir)
    const options = { dir, quick: true, port: await freePort(), args: ARGS }
    return new PostgresNode(server, dir, await startLocalPostgres(server, options))
  }

  get url(): string {
    return this.#running.url
  }

  /** Ends it at once, without a checkpoint. */
  async kill(): Promise<void> {
    this.#running.process.kill('SIGQUIT')
    await this.#running.ended
  }

  /** Starts it, unless it runs. */
  async start(): Promise<void> {
    const { exitCode, signalCode } = this.#running.process
    if (exitCode === null && signalCode === null) return
    const options = { dir: this.#dir, port: this.port, args: ARGS }
    this.#running = await startLocalPostgres(this.#server, options)
  }

  /** Stops it with all its processes: connections stay open, and nobody answers. */
  async stop(): Promise<void> {
    for (const pid of await this.#pids()) signal(pid, 'SIGSTOP')
  }

  async resume(): Promise<void> {
    for (const pid of (await this.#pids()).reverse()) signal(pid, 'SIGCONT')
  }

  /** Copies its files to a new folder. It must not run. */
  async copyTo(dir: string): Promise<void> {
    await mkdir(dir, { recursive: true })
    await run('cp', ['-a', `${this.#dir}/.`, dir])
    await rm(join(dir, 'data/postmaster.pid'), { force: true })
  }

  /** Starts another one, with the files in `dir`, at the port of this one, which must not run. */
  async startCopy(dir: string): Promise<PostgresNode> {
    const options = { dir, port: this.port, args: ARGS }
    return new PostgresNode(this.#server, dir, await startLocalPostgres(this.#server, options))
  }

  /** Starts a replica, with the files in `dir`, of the primary at this port of 127.0.0.1. */
  async startReplica(dir: string, primaryPort: number): Promise<PostgresNode> {
    const { username, password } = new URL(this.url)
    const primary = `host=127.0.0.1 port=${primaryPort} user=${username} password=${password}`
    await touch(join(dir, 'data/standby.signal'))
    const args = [...ARGS, '-c', `primary_conninfo=${primary}`]
    const options = { dir, port: await freePort(), args }
    return new PostgresNode(this.#server, dir, await startLocalPostgres(this.#server, options))
  }

  /** Makes a replica the primary, as pg_ctl does. */
  async promote(): Promise<void> {
    await touch(join(this.#dir, 'data/promote.signal'))
    this.#running.process.kill('SIGUSR1')
  }

  async close(): Promise<void> {
    await this.#running.stop()
  }

  async #pids(): Promise<number[]> {
    const pid = this.#running.process.pid ?? -1
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
    return [pid, ...children.split(' ').filter(Boolean).map(Number)]
  }
}

/** Makes an empty file that belongs to whom its folder belongs to. */
async function touch(path: string): Promise<void> {
  await writeFile(path, '')
  const { uid, gid } = await stat(join(path, '..'))
  await chown(path, uid, gid)
}

/** Sends a signal to a process that may have ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
