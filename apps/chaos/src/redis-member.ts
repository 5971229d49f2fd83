import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  findRedisServer,
  freePort,
  type LocalRedis,
  type RedisServer,
  startLocalRedis,
} from '@placeorder/store/local-redis'

/** Between two attempts to start it (ms). */
const AGAIN_MS = 200

/** The Redis server, which dies and is started again on the same port with the same append-only file. */
export class RedisMember {
  readonly name = 'redis'
  readonly port: number
  readonly #dir: string
  readonly #binary: RedisServer
  #server: LocalRedis | undefined
  #starting: Promise<void> | undefined
  #wanted = true

  private constructor(dir: string, port: number, binary: RedisServer) {
    this.#dir = dir
    this.port = port
    this.#binary = binary
  }

  static async open(dir: string): Promise<RedisMember> {
    const member = new RedisMember(dir, await freePort(), await findRedisServer())
    await member.start()
    return member
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number | undefined {
    return this.#server?.process.pid
  }

  /** Starts it, and again whenever it dies by itself: with its disk full it dies of its first write. */
  start(): Promise<void> {
    this.#wanted = true
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #start(): Promise<void> {
    while (this.#wanted && !this.#runs) {
      await this.#sweep()
      try {
        this.#server = await startLocalRedis(this.#binary, { dir: this.#dir, port: this.port })
      } catch {
        await wait(AGAIN_MS)
        continue
      }
      this.#server.process.once('exit', () => {
        if (this.#wanted) void this.start()
      })
    }
  }

  get #runs(): boolean {
    const process = this.#server?.process
    return process !== undefined && process.exitCode === null && process.signalCode === null
  }

  /** What a killed server leaves of a rewrite it had begun is never used again. */
  async #sweep(): Promise<void> {
    const names = await readdir(join(this.#dir, 'appendonlydir')).catch(() => [])
    const all = [...names.map((name) => join('appendonlydir', name)), ...(await readdir(this.#dir))]
    for (const name of all)
      if (name.includes('temp-')) await rm(join(this.#dir, name), { force: true })
  }

  signal(signal: NodeJS.Signals): void {
    this.#server?.process.kill(signal)
  }

  async kill(): Promise<void> {
    this.#wanted = false
    const process = this.#server?.process
    if (process === undefined || !this.#runs) return
    const ended = new Promise((resolve) => process.once('exit', resolve))
    process.kill('SIGKILL')
    await ended
  }

  async close(): Promise<void> {
    this.#wanted = false
    this.signal('SIGCONT')
    await this.#server?.stop()
  }
}
