import { setTimeout as wait } from 'node:timers/promises'
import { ArchiveBehind, RedisWentBack } from '@placeorder/archive'
import type { OutboxEntry } from '@placeorder/store'
import { type CopyDeps, copyBatch, redisSideOf } from './copy-batch.ts'

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
        const orders = await this.#step()
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

  /** Copies what is there. Resolves with the number of orders. */
  async #step(): Promise<number> {
    await this.#round()
    if (this.#inFlight.length === 0) this.#inFlight = await this.#collect()
    const orders = ordersIn(this.#inFlight)
    for (const batch of batchesOf(this.#inFlight)) {
      await copyBatch(this.#shard, batch, this.#deps)
      this.#inFlight = this.#inFlight.slice(batch.length)
    }
    return orders
  }

  async #collect(): Promise<OutboxEntry[]> {
    const { outbox } = this.#deps.store
    const entries: OutboxEntry[] = []
    let more: OutboxEntry[]
    do {
      more = await outbox.read(this.#shard, this.#consumer, READ_ENTRIES)
      entries.push(...more)
    } while (more.length === READ_ENTRIES && ordersIn(entries) < BATCH_ORDERS_MAX)
    return entries
  }

  /** Now and then: compares both sides, also while nothing is concluded; takes over; trims. */
  async #round(): Promise<void> {
    if (performance.now() - this.#roundAt < ROUND_MS) return
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
    await store.outbox.trim(shard)
    await store.outbox.removeIdle(shard, CONSUMER_IDLE_MS)
    this.#roundAt = performance.now()
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(Math.max(0, ms), undefined, { signal }).catch(() => {})

const ordersIn = (entries: OutboxEntry[]): number =>
  entries.reduce((sum, { orderIds }) => sum + orderIds.length, 0)

/** The entries in parts of not too many orders each; an entry stays whole. */
function batchesOf(entries: OutboxEntry[]): OutboxEntry[][] {
  const batches: OutboxEntry[][] = []
  let orders = BATCH_ORDERS_MAX
  for (const entry of entries) {
    orders += entry.orderIds.length
    const batch = batches.at(-1)
    if (batch !== undefined && orders <= BATCH_ORDERS_MAX) batch.push(entry)
    else {
      batches.push([entry])
      orders = entry.orderIds.length
    }
  }
  return batches
}

function stoppedBy(error: unknown): Stopped {
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof ArchiveBehind) return { kind: 'behind', reason }
  if (error instanceof RedisWentBack) return { kind: 'went-back', reason }
  return { kind: 'failing', reason }
}
