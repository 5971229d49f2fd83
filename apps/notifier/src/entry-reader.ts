import type { OrderEvent } from '@placeorder/events'
import {
  type DeliverySource,
  type NotifierStore,
  type OrderId,
  type OutboxEntry,
  DeliverySource as sources,
} from '@placeorder/store'

/** An event that is to be sent. */
export type BuiltEvent = { event: OrderEvent; orderId: OrderId; jobId: string }

/** The same, with the entry that is acknowledged once all its events are settled. */
export type Waiting = BuiltEvent & { entry: OpenEntry }

/** An entry that we have read and not acknowledged. */
type OpenEntry = Pick<ReadEntry, 'source' | 'id'> & {
  /** How many of its events are not settled; undefined until they are made. */
  left: number | undefined
}

export type EntryReaderDeps = {
  streams: NotifierStore['streams']
  shard: number
  sink: string
  consumer: string
  /**
   * Makes the events of each entry; what is not made needs no sending. Undefined for an entry that
   * is not there any more.
   */
  build: (entries: ReadEntry[]) => Promise<(BuiltEvent[] | undefined)[]>
}

/** An entry that was read, and the orders of which its events are made. */
export type ReadEntry = Pick<OutboxEntry, 'id' | 'digest'> & {
  source: DeliverySource
  orderIds: OrderId[]
}

/** An entry that was lost with its master may have had the id of one that is there now. */
const keyOf = ({ source, id, digest }: ReadEntry): string => [source, id, digest].join()

/** Entries are read so many at a time; one holds the orders of one group. */
const READ_ENTRIES = 64
/** The events of so many orders are made in one call: Redis reads them in some 1 ms. */
const BUILT_ORDERS = 256
/** Once all is read, it is looked again after so long (ms). */
const READ_MS = 10
/** How often replays, and entries of notifiers that are gone, are looked for (ms). */
const ROUND_MS = 1_000
/** Whoever has an entry says so this often (ms). */
const KEEP_MS = 10_000
/** What nobody has kept for so long (ms) was a notifier's that died: it is taken over. */
const TAKE_OVER_IDLE_MS = 30_000
/** Consumers that are gone for so long are removed (ms). */
const CONSUMER_IDLE_MS = 3_600_000

/** Reads what a sink is to be sent from one shard, and acknowledges what is settled. */
export class EntryReader {
  readonly #deps: EntryReaderDeps
  /** Read; their events are not made yet. */
  readonly #read: ReadEntry[] = []
  readonly #open = new Map<string, OpenEntry>()
  #waiting: Waiting[] = []
  #roundAt = Number.NEGATIVE_INFINITY
  #readAt = 0
  #keptAt = performance.now()

  constructor(deps: EntryReaderDeps) {
    this.#deps = deps
  }

  /** How many events wait to be sent. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Takes the next events that wait, `max` at most. */
  take(max: number): Waiting[] {
    return this.#waiting.splice(0, max)
  }

  /** Puts events back that could not be sent now. */
  putBack(unit: Waiting[]): void {
    this.#waiting.unshift(...unit)
  }

  /** Events are delivered, or are jobs. */
  settle(unit: Waiting[]): void {
    for (const { entry } of unit) if (entry.left !== undefined) entry.left -= 1
  }

  /** Acknowledges the entries of which all events are settled. */
  async acknowledge(): Promise<void> {
    const { streams, shard, sink } = this.#deps
    const settled = [...this.#open].filter(([, { left }]) => left === 0)
    for (const source of sources) {
      const ids = settled.flatMap(([, entry]) => (entry.source === source ? [entry.id] : []))
      await streams.acknowledge(shard, sink, source, ids)
    }
    for (const [key] of settled) this.#open.delete(key)
  }

  /** Reads until `events` wait, or nothing is left. */
  async fill(events: number): Promise<void> {
    await this.#buildAll()
    while (this.#waiting.length < events && performance.now() >= this.#readAt) {
      const entries = await this.#group('outbox').read(this.#deps.consumer, READ_ENTRIES)
      this.#note('outbox', entries)
      await this.#buildAll()
      if (entries.length < READ_ENTRIES) this.#readAt = performance.now() + READ_MS
    }
  }

  /** Now and then: says what we still have, takes over, and reads replays. */
  async round(): Promise<void> {
    const now = performance.now()
    if (now - this.#roundAt < ROUND_MS) return
    this.#roundAt = now
    const keeps = now - this.#keptAt >= KEEP_MS
    if (keeps) this.#keptAt = now
    for (const source of sources) {
      const group = this.#group(source)
      if (keeps) {
        await group.setIdle(this.#deps.consumer, this.#idsOf(source), 0)
        await group.removeIdle(CONSUMER_IDLE_MS)
      }
      if (this.#waiting.length > 0) continue
      this.#note(source, await group.takeOver(this.#deps.consumer, TAKE_OVER_IDLE_MS, READ_ENTRIES))
      if (source === 'replay')
        this.#note(source, await group.read(this.#deps.consumer, READ_ENTRIES))
    }
  }

  /** Leaves what is not settled to other notifiers. */
  async leave(): Promise<void> {
    for (const source of sources) {
      const group = this.#group(source)
      await group.setIdle(this.#deps.consumer, this.#idsOf(source), TAKE_OVER_IDLE_MS)
      await group.leave(this.#deps.consumer)
    }
  }

  #note(source: DeliverySource, entries: OutboxEntry[]): void {
    for (const { id, digest, backfilled, orderIds } of entries) {
      // What was concluded before anybody was to be notified is nobody's event.
      const read = { source, id, digest, orderIds: backfilled ? [] : orderIds }
      if (this.#open.has(keyOf(read))) continue
      this.#open.set(keyOf(read), { source, id, left: undefined })
      this.#read.push(read)
    }
  }

  async #buildAll(): Promise<void> {
    while (this.#read.length > 0) {
      const entries = this.#next()
      const built = await this.#deps.build(entries)
      this.#read.splice(0, entries.length)
      for (const [i, entry] of entries.entries()) {
        const open = this.#open.get(keyOf(entry))
        const events = built[i]
        if (events === undefined) this.#open.delete(keyOf(entry))
        if (open === undefined || events === undefined) continue
        open.left = events.length
        this.#waiting.push(...events.map((event) => ({ ...event, entry: open })))
      }
    }
  }

  /** Entries of which the events are made in one call: several small ones, or a large one. */
  #next(): ReadEntry[] {
    let orders = 0
    const end = this.#read.findIndex(({ orderIds }) => {
      orders += orderIds.length
      return orders > BUILT_ORDERS
    })
    return end < 0 ? [...this.#read] : this.#read.slice(0, Math.max(1, end))
  }

  #idsOf(source: DeliverySource): string[] {
    return [...this.#open.values()].filter((one) => one.source === source).map(({ id }) => id)
  }

  #group(source: DeliverySource) {
    return this.#deps.streams.group(this.#deps.shard, this.#deps.sink, source)
  }
}
