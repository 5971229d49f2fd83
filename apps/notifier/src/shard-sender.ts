import { setTimeout as wait } from 'node:timers/promises'
import {
  eventOf,
  type OrderEvent,
  passes,
  type Sent,
  type Sink,
  type SinkEntry,
} from '@placeorder/events'
import {
  type Delivery,
  type FailedDelivery,
  type NotifierStore,
  NotReplicated,
  type OrderId,
  type SinkJobs,
  type TakenDelivery,
} from '@placeorder/store'
import { buildEvents } from './build-events.ts'
import type { Circuit } from './circuit.ts'
import { type BuiltEvent, EntryReader, type ReadEntry, type Waiting } from './entry-reader.ts'
import type { SinkObserver } from './observer.ts'
import type { Outcomes } from './outcomes.ts'

export type SenderDeps = {
  store: Pick<NotifierStore, 'streams' | 'durability'>
  jobs: SinkJobs
  outcomes: Outcomes
  sink: Sink
  entry: SinkEntry
  circuit: Circuit
  observer: SinkObserver
  /** The endpoint wants no more: nothing is sent from now on. */
  disable: (reason: string) => Promise<void>
  isDisabled: () => boolean
  /** Resolves once a shard may be believed. Rejects with the reason of `signal`. */
  passed: (signal: AbortSignal, shard: number) => Promise<void>
}

/** With nothing to send we look less and less often (ms). */
const IDLE_MS = { min: 20, max: 200 } as const
/** How often jobs are looked for while there are none (ms). */
const JOBS_MS = 1_000
/** After a failure of ours, such as of Redis, so long (ms) passes before the next attempt. */
const AGAIN_MS = 250
/** So many times what is sent at once is read ahead, so that sending never waits for Redis. */
const READ_AHEAD = 2
/** On shutdown, what was read is still sent for so long (ms). */
const DRAIN_MS_MAX = 5_000

/**
 * Delivers the events of one shard to one sink.
 *
 * What is read from the stream is sent, some at once. An event that fails becomes a job, and then
 * its entry is acknowledged. While the circuit is open nothing is read or made a job: the stream is
 * the buffer, and of what was read one event at a time goes out as a probe.
 */
export class ShardSender {
  readonly #shard: number
  readonly #deps: SenderDeps
  readonly #reader: EntryReader
  readonly #inFlight = new Set<Promise<void>>()
  #noted: Delivery[] = []
  #jobsAt = 0
  #sawOpen = false
  #isEnding = false

  constructor(shard: number, consumer: string, deps: SenderDeps) {
    this.#shard = shard
    this.#deps = deps
    this.#reader = new EntryReader({
      streams: deps.store.streams,
      shard,
      sink: deps.entry.name,
      consumer,
      build: (entries) => this.#build(entries),
    })
  }

  /** Delivers until `signal` aborts; what is on its way then is ended first. */
  async run(signal: AbortSignal): Promise<void> {
    let idleMs: number = IDLE_MS.min
    while (!signal.aborted) {
      try {
        await this.#deps.passed(signal, this.#shard)
        idleMs = (await this.#turn()) ? IDLE_MS.min : Math.min(2 * idleMs, IDLE_MS.max)
        if (this.#inFlight.size === 0) await pause(idleMs, signal)
        else await Promise.race([...this.#inFlight, pause(IDLE_MS.min, signal)])
      } catch (error) {
        if (signal.aborted) break
        this.#deps.observer.fault(error, 'events could not be read; it is tried again')
        await pause(AGAIN_MS, signal)
      }
    }
    await this.#drain()
    // What is left is another notifier's; where this fails, it is taken over later.
    await this.#reader.leave().catch(() => {})
    await this.#deps.jobs.close()
  }

  async #drain(): Promise<void> {
    const until = performance.now() + DRAIN_MS_MAX
    while (this.#mayStart() && this.#reader.waiting > 0 && performance.now() < until) {
      this.#startEvents()
      await Promise.race(this.#inFlight)
    }
    this.#isEnding = true
    await Promise.allSettled(this.#inFlight)
    await this.#acknowledgeAndNote().catch(() => {})
  }

  /** Resolves with whether there was anything to do. */
  async #turn(): Promise<boolean> {
    const { circuit, jobs, isDisabled } = this.#deps
    await this.#reader.round()
    await this.#acknowledgeAndNote()
    if (isDisabled()) return false
    if (circuit.isOpen) {
      this.#sawOpen = true
      if (circuit.isProbeDue && this.#inFlight.size === 0) await circuit.probe(() => this.#probe())
      return false
    }
    if (this.#sawOpen) await jobs.promote()
    this.#sawOpen = false
    const { batch, concurrency } = this.#deps.sink
    await this.#reader.fill(READ_AHEAD * batch * concurrency)
    this.#startEvents()
    await this.#startJobs()
    return this.#inFlight.size > 0
  }

  #mayStart(): boolean {
    return !this.#deps.circuit.isOpen && !this.#deps.isDisabled() && !this.#isEnding
  }

  #startEvents(): void {
    const { batch, concurrency } = this.#deps.sink
    while (this.#mayStart() && this.#inFlight.size < concurrency && this.#reader.waiting > 0)
      this.#start(this.#deliver(this.#reader.take(batch)))
  }

  async #startJobs(): Promise<void> {
    if (performance.now() - this.#jobsAt < JOBS_MS) return
    while (this.#mayStart() && this.#inFlight.size < this.#deps.sink.concurrency) {
      const job = await this.#deps.jobs.take()
      if (job === undefined) {
        this.#jobsAt = performance.now()
        return
      }
      this.#start(this.#deliverAgain(job))
    }
  }

  #start(work: Promise<void>): void {
    const settled = work.then(
      () => {
        this.#inFlight.delete(settled)
        this.#startEvents()
      },
      (error: unknown) => {
        this.#inFlight.delete(settled)
        this.#deps.observer.fault(error, 'an event could not be noted; it is sent again')
      },
    )
    this.#inFlight.add(settled)
  }

  /** Sends one event while the circuit is open: of the stream, or else of the jobs. */
  async #probe(): Promise<void> {
    await this.#reader.fill(1)
    if (this.#reader.waiting > 0) return this.#deliver(this.#reader.take(1))
    const job = await this.#deps.jobs.takeAny()
    if (job !== undefined) await this.#deliverAgain(job)
  }

  /** Sends events of the stream together; if they fail, one by one. */
  async #deliver(unit: Waiting[]): Promise<void> {
    const [only] = unit
    if (only === undefined) return
    const { sent, isHeld } = await this.#send(unit)
    if (sent.kind === 'delivered') return this.#reader.settle(unit)
    if (sent.kind === 'gone' || isHeld) return this.#reader.putBack(unit)
    if (unit.length > 1) return this.#deliverEach(unit)
    const { reason, retryAfterMs } = sent
    try {
      await this.#addJobs([{ ...only, id: only.jobId, reason, retryAfterMs }])
    } catch (error) {
      this.#reader.putBack(unit)
      throw error
    }
    this.#reader.settle(unit)
  }

  async #deliverEach(unit: Waiting[]): Promise<void> {
    let next = 0
    try {
      while (next < unit.length && this.#mayStart()) {
        next += 1
        await this.#deliver(unit.slice(next - 1, next))
      }
    } finally {
      this.#reader.putBack(unit.slice(next))
    }
  }

  /** Sends the event of a job. */
  async #deliverAgain(job: TakenDelivery): Promise<void> {
    const { entry, observer } = this.#deps
    const [outcome] = await this.#deps.outcomes.of(this.#shard, [job.orderId])
    if (outcome === undefined || outcome instanceof Error) {
      const reason = outcome?.message ?? 'there is no record of it'
      if (await job.failed(reason)) observer.dead(entry.name, job.orderId, reason)
      return
    }
    const event = eventOf(outcome, entry.full)
    if (!passes(entry, event)) return job.delivered()
    const { sent } = await this.#send([{ event, orderId: job.orderId }])
    if (sent.kind === 'delivered') return job.delivered()
    const retryAfterMs = sent.kind === 'failed' ? sent.retryAfterMs : undefined
    if (await job.failed(sent.reason, retryAfterMs))
      observer.dead(entry.name, job.orderId, sent.reason)
  }

  /**
   * Sends, and notes how it ended: for the circuit, the metrics and the operator. `isHeld`: the
   * endpoint was known to be down, so the events stay where they are.
   */
  async #send(
    unit: { event: OrderEvent; orderId: OrderId }[],
  ): Promise<{ sent: Sent; isHeld: boolean }> {
    const { sink, entry, circuit, observer, disable } = this.#deps
    const begun = performance.now()
    const sent = await sink.send(unit.map(({ event }) => event))
    this.#noted.push({
      at: Date.now(),
      ms: Math.round(performance.now() - begun),
      result: sent.kind === 'delivered' ? 'delivered' : sent.reason,
      orderIds: unit.map(({ orderId }) => orderId),
    })
    if (sent.kind === 'delivered')
      observer.delivered(
        entry.name,
        unit.map(({ event }) => Date.parse(event.time)),
      )
    else observer.failed(entry.name, sent.reason)
    const isEndpoint = sent.kind === 'failed' && sent.endpoint
    const isHeld = isEndpoint && circuit.isOpen
    if (isEndpoint) circuit.failed(sent.reason, sent.retryAfterMs)
    else circuit.answered()
    if (sent.kind === 'gone') await disable(sent.reason)
    return { sent, isHeld }
  }

  async #build(entries: ReadEntry[]): Promise<(BuiltEvent[] | undefined)[]> {
    const { built, unreadable } = await buildEvents(this.#shard, entries, this.#deps)
    await this.#addJobs(unreadable)
    return built
  }

  /** @throws NotReplicated: a lost master could take them back once their entry is acknowledged */
  async #addJobs(failed: FailedDelivery[]): Promise<void> {
    const { jobs, store } = this.#deps
    await jobs.add(failed)
    const ids = failed.map(({ id }) => id)
    if (!(await jobs.replicated(ids, store.durability)))
      throw new NotReplicated('too few replicas have the jobs of events')
  }

  async #acknowledgeAndNote(): Promise<void> {
    const { store, entry } = this.#deps
    const noted = this.#noted.splice(0)
    await Promise.all([
      this.#reader.acknowledge(),
      noted.length > 0 && store.streams.note(this.#shard, entry.name, noted),
    ])
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => {})
