import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import {
  findRedisServer,
  freePort,
  type LocalRedis,
  type RedisServer,
  startLocalRedis,
} from '@placeorder/local-services/redis'
import { Redis } from 'ioredis'
import { type FakeClock, openFakeClock, withEnvironment } from './fake-clock.ts'

/** The pause between two attempts to start it (ms). */
const RETRY_MS = 200

/** How long a command waits for a server that does not answer (ms). */
const COMMAND_MS_MAX = 5_000

/**
 * A Redis server that is killed and started again on the same port with the same append-only file.
 */
export class RedisNode {
  readonly name: string
  readonly port: number
  /** Its wall clock; undefined where clocks cannot be faked. */
  readonly clock: FakeClock | undefined
  readonly #dir: string
  readonly #args: string[]
  readonly #binary: RedisServer
  #server: LocalRedis | undefined
  #starting: Promise<void> | undefined
  #wanted = true

  private constructor(
    name: string,
    place: { dir: string; port: number; args: string[] },
    binary: RedisServer,
    clock: FakeClock | undefined,
  ) {
    this.name = name
    this.port = place.port
    this.clock = clock
    this.#dir = place.dir
    this.#args = place.args
    this.#binary = binary
  }

  /** Starts a server with its files in `dir` and further `args` of redis-server. */
  static async open(name: string, dir: string, args: string[] = []): Promise<RedisNode> {
    await mkdir(dir, { recursive: true })
    const clock = await openFakeClock(dir, name)
    const place = { dir, port: await freePort(), args }
    const node = new RedisNode(name, place, await binaryBy(clock, dir), clock)
    await node.start()
    return node
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number | undefined {
    return this.#server?.process.pid
  }

  /**
   * Starts it, and again whenever it ends by itself: with a full disk it ends at its first write.
   */
  start(): Promise<void> {
    this.#wanted = true
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined
    })
    return this.#starting
  }

  async #start(): Promise<void> {
    while (this.#wanted && !this.#runs) {
      await this.#removeTemporaryFiles()
      try {
        const place = { dir: this.#dir, port: this.port, args: this.#args }
        this.#server = await startLocalRedis(this.#binary, place)
      } catch {
        await wait(RETRY_MS)
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

  /** Removes the temporary files of a killed server's rewrite. */
  async #removeTemporaryFiles(): Promise<void> {
    const names = await readdir(join(this.#dir, 'appendonlydir')).catch(() => [])
    const all = [...names.map((name) => join('appendonlydir', name)), ...(await readdir(this.#dir))]
    for (const name of all)
      if (name.includes('temp-')) await rm(join(this.#dir, name), { force: true })
  }

  /** Sends one command. Rejects if the server does not run or does not answer in time. */
  async command(...words: [string, ...(string | number)[]]): Promise<unknown> {
    const [name, ...args] = words
    const connection = new Redis({
      port: this.port,
      host: '127.0.0.1',
      lazyConnect: true,
      retryStrategy: () => null,
      commandTimeout: COMMAND_MS_MAX,
    })
    connection.on('error', () => {}) // The command that fails says so.
    try {
      await connection.connect()
      return await connection.call(name, ...args)
    } finally {
      connection.disconnect()
    }
  }

  /** Waits until a section of INFO fulfils `fits`. */
  async until(section: string, fits: (info: string) => boolean, withinMs: number): Promise<void> {
    const deadline = performance.now() + withinMs
    for (;;) {
      const info = String(
        await this.command('INFO', section).catch((error: Error) => error.message),
      )
      if (fits(info)) return
      if (performance.now() > deadline) throw new Error(`${this.name} is not as expected:\n${info}`)
      await wait(50)
    }
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

async function binaryBy(clock: FakeClock | undefined, dir: string): Promise<RedisServer> {
  const binary = await findRedisServer()
  if (clock === undefined || binary.kind === 'docker') return binary
  return { ...binary, command: await withEnvironment(dir, binary.command, clock.env) }
}
