import assert from 'node:assert/strict'
import { createWriteStream, type WriteStream } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { FaultProxy, Operated, System } from '@placeorder/testkit'
import { History, type Pause } from './history/history.ts'
import type { FakeClock } from './topologies/fake-clock.ts'
import type { Link } from './topologies/topology.ts'

export type MemberDeps = {
  system: System
  history: History
  /** Where it finds Redis. */
  env: Readonly<Record<string, string>>
  /** Its own way to Redis, where there is one. */
  link?: Link | undefined
  /** The clock it runs by; undefined where none can be faked. */
  clock?: FakeClock | undefined
  /** Where its log goes. */
  log: string
  /** Told of what a process must never do: end by itself, or end badly. */
  onProcessFailure: (what: string) => void
}

/** A process that was told to end, and has not within this time (ms), hangs. */
const END_MS_MAX = 10_000

/** When a process that was told to end cuts itself off (ms). */
const DEADLINE_MS = { ingress: 3_000, worker: 4_000 }

/** One that the machine has kept from running for longer (ms) while it ended may be cut off by its own deadline. */
const STARVED_MS_MAX = 300

/** What no process may ever log: an error that nobody planned reached the top. */
const processFailure = /unhandled|uncaught|closing after an error/i

/** An ingress or a worker, which dies and is started again under its name. */
export class Member {
  readonly name: string
  readonly kind: 'ingress' | 'worker'
  readonly clock: FakeClock | undefined
  readonly #deps: MemberDeps
  /** Calls to it that are not on their way yet. */
  connecting = 0
  readonly #port: number
  readonly #log: WriteStream
  #process: Operated | undefined
  #away: { why: Pause['why']; from: number } | undefined
  #expectedToEnd = false

  constructor(kind: Member['kind'], name: string, port: number, deps: MemberDeps) {
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

  /** Its own way to Redis. */
  get link(): FaultProxy {
    const { link } = this.#deps
    assert(link !== undefined, `${this.name} has no way of its own to Redis`)
    return link.proxy
  }

  /** Its process id while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /** Whether a balancer would send it anything: one that was told to end says that it is not ready. */
  get isOffered(): boolean {
    return this.#away?.why !== 'ENDED'
  }

  async start(): Promise<void> {
    const { system, clock, onProcessFailure } = this.#deps
    const env = { ...this.#deps.env, ...clock?.env }
    const onLine = (line: string) => {
      this.#log.write(`${line}\n`)
      if (processFailure.test(line)) onProcessFailure(`${this.name}: ${line}`)
    }
    this.#expectedToEnd = false
    const process =
      this.kind === 'ingress'
        ? await system.startIngress({ ...env, PORT: String(this.#port) }, onLine)
        : await system.startWorker(env, onLine)
    this.#process = process
    process.exited.then((how) => {
      this.#process = undefined
      if (!this.#expectedToEnd) onProcessFailure(`${this.name} ended by itself: ${how}`)
    })
    this.#isBack()
  }

  async kill(): Promise<void> {
    this.#isAway('KILLED')
    this.#expectedToEnd = true
    this.#process?.kill('SIGKILL')
    await this.#process?.exited
  }

  /** Tells it to end and waits until it has. As with a balancer before it, calls to it have left or go elsewhere by then. */
  async end(): Promise<void> {
    const { onProcessFailure } = this.#deps
    this.#isAway('ENDED')
    while (this.connecting > 0) await wait(1)
    this.#expectedToEnd = true
    const process = this.#process
    const from = History.now()
    process?.kill('SIGTERM')
    const killing = setTimeout(() => process?.kill('SIGKILL'), END_MS_MAX)
    const how = await process?.exited
    clearTimeout(killing)
    const ms = Math.round(History.now() - from)
    // A deadline of its own that came late was late for want of a processor.
    const isStarved =
      ms > DEADLINE_MS[this.kind] + STARVED_MS_MAX || this.#starvedMs(from) > STARVED_MS_MAX
    if (how !== undefined && how !== 0 && !isStarved)
      onProcessFailure(`${this.name} ended with ${how} ${ms} ms after SIGTERM`)
  }

  /** Tells it to end, and to end again once it says that it is ending; resolves with how it did, and when it was told again. */
  async endTwice(): Promise<{ how: number | NodeJS.Signals | undefined; from: number }> {
    this.#isAway('KILLED')
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

  /** For how long the machine has kept it from running since then. */
  #starvedMs(from: number): number {
    const starved = this.#deps.history.pauses.filter(
      ({ who, why, to }) => who === this.name && why === 'STARVED' && to > from,
    )
    return starved.reduce((sum, { ms }) => sum + ms, 0)
  }

  stop(): void {
    this.#isAway('STOPPED')
    this.#process?.kill('SIGSTOP')
  }

  goOn(): void {
    this.#process?.kill('SIGCONT')
    this.#isBack()
  }

  #isAway(why: Pause['why']): void {
    this.#away = { why, from: History.now() }
  }

  #isBack(): void {
    const to = History.now()
    if (this.#away !== undefined)
      this.#deps.history.paused({ who: this.name, ...this.#away, to, ms: to - this.#away.from })
    this.#away = undefined
  }
}
