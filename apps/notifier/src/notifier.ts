import { setTimeout as wait } from 'node:timers/promises'
import type { NotifierStore } from '@placeorder/store'
import type { Backlog } from './backlog.ts'
import type { ConfiguredSink } from './sink-file.ts'
import { type RunnerDeps, SinkRunner } from './sink-runner.ts'

export type NotifierDeps = RunnerDeps & {
  store: Pick<NotifierStore, 'streams' | 'sinkStates' | 'jobsOf' | 'outbox' | 'durability'>
  /** The sinks of the file as it is now. */
  configured: () => readonly ConfiguredSink[]
  /** Sends old outcomes; undefined without an archive. */
  backlog: Pick<Backlog, 'send'> | undefined
  /** What a sink has held for so long (ms) is dropped. */
  keepMs: number
}

/** How often the file and the disabled sinks are looked at (ms). */
const ROUND_MS = 1_000
/** How often the outboxes are trimmed (ms). */
const TRIM_MS = 5_000

/** Old outcomes overlap with new ones by this (ms): clocks differ, and nothing may be left out. */
const BACKLOG_OVERLAP_MS = 10_000

/** From this share of its memory on, Redis counts as full: sinks may hold less. */
const FULL = 0.8
/** Then the oldest part of what a sink holds is dropped, each time the outboxes are trimmed. */
const DROPPED_PART = 0.1
/** What is younger (ms) is never dropped. */
const KEEP_MS_MIN = 600_000

/** Runs the sinks of the file, each for itself, and trims what all have been given. */
export class Notifier {
  readonly #deps: NotifierDeps
  readonly #runners = new Map<string, SinkRunner>()
  readonly #stopping = new Set<Promise<void>>()
  #started = 0
  #trimAt = Number.NEGATIVE_INFINITY

  constructor(deps: NotifierDeps) {
    this.#deps = deps
  }

  /** The sinks at work. */
  get runners(): readonly SinkRunner[] {
    return [...this.#runners.values()]
  }

  /** Delivers until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    // Each by itself: a full Redis takes no new sink, but it serves the others and is trimmed.
    const attempt = (step: Promise<void>) =>
      step.catch((error: unknown) => {
        if (signal.aborted) return
        this.#deps.observer.fault(error, 'the sinks could not be looked at; it is tried again')
      })
    while (!signal.aborted) {
      this.#stopChanged()
      for (const sink of this.#deps.configured()) await attempt(this.#start(sink))
      await attempt(this.#noteDisabled())
      await attempt(this.#trim(signal))
      for (const sink of this.#runners.keys())
        await attempt(this.#deps.backlog?.send(sink) ?? Promise.resolve())
      await wait(ROUND_MS, undefined, { signal }).catch(() => {})
    }
    for (const runner of this.runners) this.#stop(runner)
    await Promise.all(this.#stopping)
  }

  /** Nobody waits for what a sink has on its way. */
  #stop(runner: SinkRunner): void {
    const stopped = runner.stop().finally(() => this.#stopping.delete(stopped))
    this.#stopping.add(stopped)
  }

  /**
   * Stops what is gone from the file or has changed. A sink goes on as it was if its new version
   * has a fault.
   */
  #stopChanged(): void {
    const wanted = new Map(this.#deps.configured().map((sink) => [sink.entry.name, sink]))
    for (const [name, runner] of this.#runners) {
      const next = wanted.get(name)
      const isWorse = next?.fault !== undefined && runner.state !== 'faulty'
      if (isWorse || next?.digest === runner.configured.digest) {
        runner.noteFault(next.fault)
        continue
      }
      this.#runners.delete(name)
      this.#stop(runner)
    }
  }

  /** Starts a sink, unless it runs. */
  async #start(sink: ConfiguredSink): Promise<void> {
    const { store, shards } = this.#deps
    const { name, from } = sink.entry
    if (this.#runners.has(name)) return
    if (from !== undefined) await this.#planBacklog(name, Date.parse(from))
    for (let shard = 0; shard < shards; shard += 1) await store.streams.open(shard, name)
    this.#started += 1
    const consumer = `${this.#deps.consumer}-${this.#started}`
    this.#runners.set(name, new SinkRunner(sink, { ...this.#deps, consumer }))
  }

  async #noteDisabled(): Promise<void> {
    const disabled = await this.#deps.store.sinkStates.disabled()
    for (const [name, runner] of this.#runners) await runner.noteDisabled(disabled.get(name))
  }

  /** A sink that is new is sent what was concluded before, if it asks for that. */
  async #planBacklog(sink: string, from: number): Promise<void> {
    const { store, shards } = this.#deps
    for (let shard = 0; shard < shards; shard += 1)
      if ((await store.streams.list(shard)).includes(sink)) return
    await store.sinkStates.planBacklog(sink, { from, to: Date.now() + BACKLOG_OVERLAP_MS })
  }

  async #trim(signal: AbortSignal): Promise<void> {
    if (performance.now() - this.#trimAt < TRIM_MS) return
    this.#trimAt = performance.now()
    const { store, shards, passed } = this.#deps
    const { memoryUsed = 0 } = await store.durability.report()
    for (let shard = 0; shard < shards; shard += 1) {
      await passed(signal, shard) // In a Redis that is older than it was, sinks seem to be behind.
      const sinks = await store.streams.list(shard)
      for (const sink of this.#runners.keys())
        if (!sinks.includes(sink)) await store.streams.open(shard, sink, 'start') // It was lost.
      for (const sink of sinks) await this.#drop(shard, sink, memoryUsed)
      await store.outbox.trim(shard)
    }
  }

  async #drop(shard: number, sink: string, memoryUsed: number): Promise<void> {
    const { store, keepMs, observer } = this.#deps
    const { oldest } = (await store.streams.progress(shard, sink)) ?? {}
    if (oldest === undefined) return
    const now = Date.now()
    const isFull = memoryUsed >= FULL
    const soon = Math.min(now - KEEP_MS_MIN, oldest + (now - oldest) * DROPPED_PART)
    const before = Math.max(now - keepMs, isFull ? soon : 0)
    if (oldest >= before) return
    const youngest = isFull ? KEEP_MS_MIN : keepMs
    const dropped = await store.streams.drop(shard, sink, Math.floor(before), youngest)
    if (dropped > 0) observer.dropped(sink, dropped)
  }
}
