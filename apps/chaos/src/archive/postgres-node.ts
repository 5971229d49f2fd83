import { readFile } from 'node:fs/promises'
import {
  findPostgresServer,
  type LocalPostgres,
  type PostgresServer,
  startLocalPostgres,
} from '@placeorder/local-services/postgres'

/** A PostgreSQL that is killed or stopped, and goes on at the same port with what it committed. */
export class PostgresNode {
  readonly name = 'PostgreSQL'
  readonly #server: PostgresServer
  readonly #dir: string
  #running: LocalPostgres

  private constructor(server: PostgresServer, dir: string, running: LocalPostgres) {
    this.#server = server
    this.#dir = dir
    this.#running = running
  }

  static async open(dir: string): Promise<PostgresNode> {
    const server = await findPostgresServer(dir)
    return new PostgresNode(server, dir, await startLocalPostgres(server, { dir, quick: true }))
  }

  get url(): string {
    return this.#running.url
  }

  get port(): number {
    return this.#running.port
  }

  /** Ends it at once, without a checkpoint. */
  async kill(): Promise<void> {
    this.#running.process.kill('SIGQUIT')
    await this.#running.ended
  }

  async start(): Promise<void> {
    this.#running = await startLocalPostgres(this.#server, { dir: this.#dir, port: this.port })
  }

  /** Stops it with all its processes: connections stay open, and nobody answers. */
  async stop(): Promise<void> {
    for (const pid of await this.#pids()) signal(pid, 'SIGSTOP')
  }

  async resume(): Promise<void> {
    for (const pid of (await this.#pids()).reverse()) signal(pid, 'SIGCONT')
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

/** Sends a signal to a process that may have ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
