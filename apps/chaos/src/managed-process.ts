import assert from 'node:assert/strict'
import { createWriteStream, type WriteStream } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { FaultProxy, RunningApp, System } from '@placeorder/testkit'
import { History, type Pause } from './history/history.ts'
import type { FakeClock } from './topologies/fake-clock.ts'
import type { Link } from './topologies/topology.ts'

export type ManagedProcessDeps = {
  system: System
  history: History
  /** The environment by which it finds Redis. */
  env: Readonly<Record<string, string>>
  /** Its own network link to Redis, where it has one. */
  link?: Link | undefined
  /** Its wall clock; undefined where clocks cannot be faked. */
  clock?: FakeClock | undefined
  /** The file that its log is written to. */
  log: string
  /** Called when a process does what it must never do: end by itself, or end with an error. */
  onProcessFailure: (what: string) => void
}

/** A process that has not ended within this time after SIGTERM (ms) hangs. */
const END_MS_MAX = { ingress: 15_000, worker: 15_000, archiver: 25_000, notifier: 25_000 }

/**
 * How long after SIGTERM a process exits with an error of its own (ms). An archiver whose
 * PostgreSQL is silent may take longer, and so may a notifier whose receiver is.
 */
const DEADLINE_MS = { ingress: 10_000, worker: 4_000, archiver: 10_000, notifier: 18_000 }

/**
 * A process that starved for longer than this (ms) while it ended may have hit its own deadline.
 */
const STARVED_MS_MAX = 300

/**
 * What no process may ever log: an unexpected error reached the top, Redis and the archive
 * contradict each other, or Redis is taken for an older one.
 */
const processFailure =
  /unhandled|uncaught|closing after an error|have an order otherwise|REDIS IS OLDER/i

/** An ingress, worker, archiver or notifier that is ended, killed or stopped, and started again. */
export class ManagedProcess {
  readonly name: string
  readonly kind: 'ingress' | 'worker' | 'archiver' | 'notifier'
  readonly clock: FakeClock | undefined
  readonly #deps: ManagedProcessDeps
  /** Calls to it that were not sent yet. */
  connecting = 0
  readonly #port: number
  readonly #log: WriteStream
  #process: RunningApp | undefined
  #pause: { why: Pause['why']; from: number } | undefined
  #expectedToEnd = false

  constructor(kind: ManagedProcess['kind'], name: string, port: number, deps: ManagedProcessDeps) {
    this.kind = kind
    this.name = name
    this.#port = port
    this.#deps = deps
    this.clock = deps.clock
    this.#log = createWriteStream(deps.log)
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Its own network link to Redis. */
  get link(): FaultProxy {
    const { link } = this.#deps
    assert(link !== undefined, `${this.name} has no link of its own to Redis`)
    return link.proxy
  }

  /** The URL of its health and metrics, while it runs. */
  get admin(): string | undefined {
    return this.#process?.admin
  }

  /** Its process id while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Whether a balancer would send it requests: after SIGTERM it reports that it is not ready. */
  get isInRotation(): boolean {
    return this.#pause?.why !== 'ENDED'
  }

  async start(): Promise<void> {
    const { system, clock, onProcessFailure } = this.#deps
    const env = { ...this.#deps.env, ...clock?.env }
    const onLine = (line: string) => {
      this.#log.write(`${line}\n`)
      if (processFailure.test(line)) onProcessFailure(`${this.name}: ${line}`)
    }
    this.#expectedToEnd = false
    const starting = {
      ingress: () => system.startIngress({ ...env, PORT: String(this.#port) }, onLine),
      worker: () => system.startWorker(env, onLine),
      archiver: () => system.startArchiver(env, onLine),
      notifier: () => system.startNotifier({ ...env, EVENTS_PORT: String(this.#port) }, onLine),
    }
    const process: RunningApp = await starting[this.kind]()
    this.#process = process
    process.exited.then((how) => {
      this.#process = undefined
      if (!this.#expectedToEnd) onProcessFailure(`${this.name} ended by itself: ${how}`)
    })
    this.#endPause()
  }

  async kill(): Promise<void> {
    this.#beginPause('KILLED')
    this.#expectedToEnd = true
    this.#process?.kill('SIGKILL')
    await this.#process?.exited
  }

  /**
   * Sends SIGTERM and waits for the end. As with a balancer, all calls to it have been sent before,
   * and new ones go elsewhere.
   */
  async end(): Promise<void> {
    const { onProcessFailure } = this.#deps
    this.#beginPause('ENDED')
    while (this.connecting > 0) await wait(1)
    this.#expectedToEnd = true
    const process = this.#process
    const from = History.now()
    process?.kill('SIGTERM')
    const killing = setTimeout(() => process?.kill('SIGKILL'), END_MS_MAX[this.kind])
    const how = await process?.exited
    clearTimeout(killing)
    const ms = Math.round(History.now() - from)
    // A late exit is excused if the process got no CPU time.
    const isStarved =
      ms > DEADLINE_MS[this.kind] + STARVED_MS_MAX || this.#starvedMs(from) > STARVED_MS_MAX
    if (how !== undefined && how !== 0 && !isStarved)
      onProcessFailure(`${this.name} ended with ${how} ${ms} ms after SIGTERM`)
  }

  /**
   * Sends SIGTERM, and SIGINT once it reports that it is ending. Resolves with how it ended and
   * when the second signal was sent.
   */
  async endTwice(): Promise<{ how: number | NodeJS.Signals | undefined; from: number }> {
    this.#beginPause('KILLED')
    this.#expectedToEnd = true
    const process = this.#process
    process?.kill('SIGTERM')
    const isEnding = async () =>
      (await (await fetch(`${process?.admin}/readyz`)).text()).includes('it is ending')
    while (!(await isEnding())) await wait(1)
    const from = History.now()
    process?.kill('SIGINT')
    return { how: await process?.exited, from }
  }

  /** How long it has starved since then (ms). */
  #starvedMs(from: number): number {
    const starved = this.#deps.history.pauses.filter(
      ({ who, why, to }) => who === this.name && why === 'STARVED' && to > from,
    )
    return starved.reduce((sum, { ms }) => sum + ms, 0)
  }

  stop(): void {
    this.#beginPause('STOPPED')
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
    this.#endPause()
  }

  #beginPause(why: Pause['why']): void {
    this.#pause = { why, from: History.now() }
  }

  #endPause(): void {
    const to = History.now()
    if (this.#pause !== undefined)
      this.#deps.history.paused({ who: this.name, ...this.#pause, to, ms: to - this.#pause.from })
    this.#pause = undefined
  }
}
