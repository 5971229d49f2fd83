import { setTimeout as wait } from 'node:timers/promises'
import { ArchiveBehind, RedisWentBack } from '@placeorder/archive'
import type { OutboxEntry } from '@placeorder/store'
import { type CopyDeps, copyBatch, type ReadBatch, readBatch, redisSideOf } from './copy-batch.ts'
import { retryUnreadable } from './retry-unreadable.ts'

/** Why a shard is not copied: it stays so until somebody has looked, or passes by itself. */
export type Stopped = { kind: 'behind' | 'went-back' | 'failing'; reason: string }

/**
 * So many orders are copied in one transaction. Measured: more gain nothing, and are held longer.
 */
const BATCH_ORDERS_MAX = 1_000

/**
 * How long orders are collected (ms): a batch of a few costs PostgreSQL as much as one of many.
 */
const COLLECT_MS = 200
/** With nothing to copy we look less and less often, at last so often (ms). */
const IDLE_MS_MAX = 800

/** Entries are read so many at a time; one holds the orders of one group. */
const READ_ENTRIES = 100

/**
 * What an archiver has had for so long without acknowledging it is taken over (ms): it died, or its
 * database is away.
 */
const TAKE_OVER_IDLE_MS = 30_000

/**
 * How often others' entries are looked for, the outbox is trimmed and an idle shard is compared
 * (ms).
 */
const ROUND_MS = 5_000

/** Consumers that are gone for so long are removed (ms). */
const CONSUMER_IDLE_MS = 3_600_000

/**
 * After a failure the same batch is tried again after this time (ms), then after twice as long, and
 * so on.
 */
const AGAIN_MS = { first: 250, max: 5_000 } as const

/** Copies one shard's outbox, batch after batch. */
export class ShardArchiver {
  readonly #shard: number
  readonly #consumer: string
  readonly #deps: CopyDeps
  readonly #onStopped: (stopped: Stopped, error: unknown) => void
  #stopped: Stopped | undefined
  /** Read, and not acknowledged yet. */
  #inFlight: OutboxEntry[] = []
  /** How many of them are in a batch. */
  #inBatches = 0
  /** Whether the last read got as many entries as it asked for. */
  #hasMore = false
  #roundAt = Number.NEGATIVE_INFINITY

  constructor(
    shard: number,
    consumer: string,
    deps: CopyDeps,
    onStopped: (stopped: Stopped, error: unknown) => void,
  ) {
    this.#shard = shard
    this.#consumer = consumer
    this.#deps = deps
    this.#onStopped = onStopped
  }

  get stopped(): Stopped | undefined {
    return this.#stopped
  }

  /**
   * Copies until `signal` aborts. A batch in flight is ended first: it is committed and
   * acknowledged, or neither.
   */
  async run(signal: AbortSignal): Promise<void> {
    let [idleMs, againMs]: [number, number] = [COLLECT_MS, AGAIN_MS.first]
    while (!signal.aborted) {
      const begun = performance.now()
      try {
        const orders = await this.#step(signal)
        this.#stopped = undefined
        againMs = AGAIN_MS.first
        idleMs = orders > 0 ? COLLECT_MS : Math.min(2 * idleMs, IDLE_MS_MAX)
        if (orders >= BATCH_ORDERS_MAX) continue
        await pause(idleMs - (performance.now() - begun), signal)
      } catch (error) {
        this.#stopped = stoppedBy(error)
        this.#onStopped(this.#stopped, error)
        await pause(againMs, signal)
        againMs = Math.min(2 * againMs, AGAIN_MS.max)
      }
    }
    // Where that fails, other archivers remove us later.
    await this.#deps.store.outbox.leave(this.#shard, this.#consumer).catch(() => {})
  }

  /**
   * Copies what is there, until the next round is due or less than a batch is left. A batch is read
   * while the one before is being written. Resolves with the number of orders.
   */
  async #step(signal: AbortSignal): Promise<number> {
    await this.#round()
    // Some may have failed because they were lost with their master.
    if (this.#stopped !== undefined)
      this.#inFlight = await this.#deps.store.outbox.kept(this.#shard, this.#inFlight)
    this.#inBatches = 0
    let orders = 0
    let next = this.#readNext(true)
    try {
      for (;;) {
        const batch = await next
        if (batch === undefined) return orders
        next = this.#readNext(this.#hasMore && !signal.aborted && !this.#isRoundDue())
        await copyBatch(this.#shard, batch, this.#deps)
        this.#inFlight.splice(0, batch.entries.length)
        this.#inBatches -= batch.entries.length
        orders += ordersIn(batch.entries)
      }
    } finally {
      await next.catch(() => {}) // Nothing is read any more when the step has ended.
    }
  }

  /** The next batch of what is in flight; of new entries if all of those are in one. */
  async #readNext(mayCollect: boolean): Promise<ReadBatch | undefined> {
    if (this.#inBatches === this.#inFlight.length && mayCollect)
      this.#inFlight.push(...(await this.#collect()))
    const entries = firstBatchOf(this.#inFlight.slice(this.#inBatches))
    this.#inBatches += entries.length
    return entries.length === 0 ? undefined : readBatch(this.#shard, entries, this.#deps)
  }

  async #collect(): Promise<OutboxEntry[]> {
    const { outbox } = this.#deps.store
    const entries: OutboxEntry[] = []
    do {
      const more = await outbox.read(this.#shard, this.#consumer, READ_ENTRIES)
      this.#hasMore = more.length === READ_ENTRIES
      entries.push(...more)
    } while (this.#hasMore && ordersIn(entries) < BATCH_ORDERS_MAX)
    return entries
  }

  #isRoundDue(): boolean {
    return performance.now() - this.#roundAt >= ROUND_MS
  }

  /**
   * Now and then: compares both sides, also while nothing is concluded; takes over; tries again
   * what could not be read; trims.
   */
  async #round(): Promise<void> {
    if (!this.#isRoundDue()) return
    const { store, archive, archiveId } = this.#deps
    const shard = this.#shard
    await archive.compare({ archiveId, shard }, (at) => redisSideOf(shard, at, this.#deps))
    if (this.#inFlight.length === 0)
      this.#inFlight = await store.outbox.takeOver(
        shard,
        this.#consumer,
        TAKE_OVER_IDLE_MS,
        READ_ENTRIES,
      )
    await retryUnreadable(shard, store)
    await store.outbox.trim(shard)
    await store.outbox.removeIdle(shard, CONSUMER_IDLE_MS)
    this.#roundAt = performance.now()
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(Math.max(0, ms), undefined, { signal }).catch(() => {})

const ordersIn = (entries: OutboxEntry[]): number =>
  entries.reduce((sum, { orderIds }) => sum + orderIds.length, 0)

/** The first entries, with not too many orders together; an entry stays whole. */
function firstBatchOf(entries: OutboxEntry[]): OutboxEntry[] {
  let orders = 0
  const end = entries.findIndex(({ orderIds }, i) => {
    orders += orderIds.length
    return i > 0 && orders > BATCH_ORDERS_MAX
  })
  return end < 0 ? entries : entries.slice(0, end)
}

function stoppedBy(error: unknown): Stopped {
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof ArchiveBehind) return { kind: 'behind', reason }
  if (error instanceof RedisWentBack) return { kind: 'went-back', reason }
  return { kind: 'failing', reason }
}
