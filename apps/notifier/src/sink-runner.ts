import { configFaults } from '@placeorder/config'
import type { Sink } from '@placeorder/events'
import type { DisabledSink, NotifierStore } from '@placeorder/store'
import { Circuit } from './circuit.ts'
import type { SinkObserver } from './observer.ts'
import type { Outcomes } from './outcomes.ts'
import { ShardSender } from './shard-sender.ts'
import type { ConfiguredSink } from './sink-file.ts'

export type RunnerDeps = {
  store: Pick<NotifierStore, 'streams' | 'sinkStates' | 'jobsOf' | 'durability'>
  outcomes: Outcomes
  shards: number
  /** Names this process among the notifiers. */
  consumer: string
  observer: SinkObserver
  /** Resolves once a shard may be believed. Rejects with the reason of `signal`. */
  passed: (signal: AbortSignal, shard: number) => Promise<void>
}

/** How a sink stands. */
export type SinkState = 'delivering' | 'failing' | 'disabled' | 'faulty'

/** One sink at work, in all shards. Nothing of it is shared with another sink. */
export class SinkRunner {
  readonly configured: ConfiguredSink
  readonly #deps: RunnerDeps
  readonly #ending = new AbortController()
  readonly #running: Promise<void>
  #state: SinkState = 'delivering'
  #why: string | undefined
  #newestFault: string | undefined
  /** Whether nothing is known any more of this sink as it was configured before we started. */
  #hasForgotten = false

  constructor(configured: ConfiguredSink, deps: RunnerDeps) {
    this.configured = configured
    this.#deps = deps
    this.#running = this.#run()
  }

  get state(): SinkState {
    return this.#state
  }

  /** Why it does not deliver. */
  get why(): string | undefined {
    return this.#why
  }

  /** Why it cannot be opened; or its newest version, where it goes on with the one before. */
  get fault(): string | undefined {
    return this.#state === 'faulty' ? this.#why : this.#newestFault
  }

  /** Notes why the newest version cannot be opened; undefined if nothing is wrong with it. */
  noteFault(fault: string | undefined): void {
    if (fault === this.fault) return
    this.#newestFault = fault
    if (fault !== undefined) this.#deps.observer.faulty(this.configured.entry.name, fault)
  }

  /**
   * Notes whether the sink is disabled, as all notifiers know it. A note of another configuration
   * is removed, so that the sink is tried again when it is configured like that again. This happens
   * once: a notifier that still has the old file may note it again, and removes that itself.
   */
  async noteDisabled(known: DisabledSink | undefined): Promise<void> {
    const { entry, digest } = this.configured
    const isDisabled = known?.digest === digest
    if (isDisabled) this.#set('disabled', known.reason)
    else if (this.#state === 'disabled') this.#set('delivering', undefined)
    if (this.#hasForgotten) return
    if (known !== undefined && !isDisabled) await this.#deps.store.sinkStates.enable(entry.name)
    this.#hasForgotten = true
  }

  /** Ends what is on its way. */
  async stop(): Promise<void> {
    this.#ending.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { observer, shards } = this.#deps
    const { entry, fault } = this.configured
    const { name } = entry
    if (fault !== undefined) return this.#refuse(fault)
    const sink = await this.configured
      .open()
      .catch((error: unknown) => this.#refuse(configFaults(error).join('; ')))
    if (sink === undefined) return
    const circuit = new Circuit((open, reason) => {
      observer.circuit(name, open, reason)
      if (this.#state !== 'disabled') this.#set(open ? 'failing' : 'delivering', reason)
    })
    const senders = Array.from({ length: shards }, (_, shard) => this.#sender(shard, sink, circuit))
    await Promise.all(senders.map((sender) => sender.run(this.#ending.signal)))
    await sink.close().catch(() => {})
  }

  #refuse(fault: string): undefined {
    this.#set('faulty', fault)
    this.#deps.observer.faulty(this.configured.entry.name, fault)
  }

  #sender(shard: number, sink: Sink, circuit: Circuit): ShardSender {
    const { store, outcomes, consumer, observer, passed } = this.#deps
    const { entry, digest } = this.configured
    return new ShardSender(shard, consumer, {
      store,
      jobs: store.jobsOf(shard, entry.name),
      outcomes,
      sink,
      entry,
      circuit,
      observer,
      passed,
      isDisabled: () => this.#state === 'disabled',
      disable: async (reason) => {
        this.#set('disabled', reason)
        if (this.#ending.signal.aborted) return // It may be configured otherwise by now.
        observer.disabled(entry.name, reason)
        await store.sinkStates.disable(entry.name, { reason, at: Date.now(), digest })
      },
    })
  }

  #set(state: SinkState, why: string | undefined): void {
    this.#state = state
    this.#why = state === 'delivering' ? undefined : why
  }
}
