import type { Archive, FoundOrder } from '@placeorder/archive'
import { type EventFilter, eventOf, type OrderEvent, passes } from '@placeorder/events'
import { PackedByNewerVersion } from '@placeorder/protocol'
import { NoRecord, type NotifierStore, type OrderId, orderIdOf, shardOf } from '@placeorder/store'
import type { Outcomes } from '../outcomes.ts'
import { type Cursor, isBefore, predecessor, readCursor, writeCursor } from './cursor.ts'

/** The name of all who pull, among the sinks. */
export const PULL = 'pull'

export type PullDeps = {
  store: Pick<NotifierStore, 'streams' | 'sinkStates' | 'outbox' | 'acquirers'>
  outcomes: Pick<Outcomes, 'of'>
  /** Undefined without an archive: nothing older than the outbox can be pulled. */
  archive: Pick<Archive, 'concluded'> | undefined
  shards: number
  /** Throws unless a shard may be believed: Redis may be older than it was. */
  demandPassed: (shard: number) => void
}

/** What is asked for: after a cursor, or since a time (ms); with neither, from now on. */
export type PullRequest = {
  after?: string | undefined
  since?: number | undefined
  filter: EventFilter
  /** So many events, and those of the last entry that is read. */
  limit: number
}

export type PullAnswer =
  | { kind: 'events'; events: OrderEvent[]; next: string }
  | { kind: 'refused'; reason: string }
  /** What is after the cursor is no longer here. `begin` is a cursor before what is. */
  | { kind: 'gone'; reason: string; begin: string }

/** Entries are read so many at a time. */
const READ_ENTRIES = 16

/**
 * Answers those who pull. What they ask to continue after, they have: it is kept for them no
 * longer, and everything after it is.
 */
export class Pull {
  readonly #deps: PullDeps
  /** The name of the Redis that keeps outcomes; it has another once it has lost its data. */
  #keptBy: string | undefined

  constructor(deps: PullDeps) {
    this.#deps = deps
  }

  /** Has outcomes kept from now on. Rejects while Redis is full and has not kept any before. */
  async open(): Promise<void> {
    const { streams, sinkStates } = this.#deps.store
    const incarnation = await sinkStates.incarnation()
    if (this.#keptBy === incarnation) return
    const from = this.#keptBy === undefined ? 'now' : 'start'
    for (const shard of this.#all()) await streams.open(shard, PULL, from)
    this.#keptBy = incarnation
  }

  async page(request: PullRequest): Promise<PullAnswer> {
    await this.open()
    for (const shard of this.#all()) this.#deps.demandPassed(shard)
    const { after, since } = request
    if (after === undefined) return this.#begin(request)
    if (since !== undefined) return refused('after and since exclude each other')
    const cursor = readCursor(after)
    if (cursor === undefined) return refused('after is not a cursor')
    const reason = await this.#goneBecause(cursor)
    if (reason !== undefined)
      return { kind: 'gone', reason, begin: writeCursor(await this.#kept()) }
    if (cursor.archive === undefined)
      for (const [shard, id] of cursor.ids.entries())
        await this.#deps.store.streams.advance(shard, PULL, id)
    return this.#read(cursor, request)
  }

  async #begin(request: PullRequest): Promise<PullAnswer> {
    const { since } = request
    if (since === undefined)
      return { kind: 'events', events: [], next: writeCursor(await this.#end()) }
    if (this.#deps.archive === undefined) return refused('since needs ARCHIVE_URL')
    // What is not archived yet comes out of the outbox, and some twice: nothing is left out.
    const cursor = await this.#cursor((shard) => this.#archivedTo(shard))
    return this.#read({ ...cursor, archive: { from: since, to: Date.now() } }, request)
  }

  async #read(from: Cursor, { filter, limit }: PullRequest): Promise<PullAnswer> {
    const cursor: Cursor = { ...from, ids: [...from.ids] }
    const events: OrderEvent[] = []
    const add = async (shard: number, orderIds: OrderId[]) => {
      const found = await this.#deps.outcomes.of(shard, orderIds)
      for (const outcome of found) {
        // What Redis has forgotten comes out of the archive, and may be missing in an older copy.
        // Of a newer version's orders, its notifiers make the events.
        const isError = outcome instanceof Error
        const isAway = isError && outcome.cause instanceof NoRecord
        if (isAway && this.#deps.archive !== undefined) throw outcome
        if (isError && outcome.cause instanceof PackedByNewerVersion) throw outcome
        if (!isError && passes(filter, eventOf(outcome))) events.push(eventOf(outcome))
      }
    }
    while (cursor.archive !== undefined && events.length < limit) {
      const page = await this.#archived(cursor.archive)
      if (page === undefined) delete cursor.archive
      else {
        cursor.archive = page.rest
        for (const [shard, ids] of page.byShard) await add(shard, ids)
      }
    }
    for (const shard of cursor.archive === undefined ? this.#all() : [])
      while (events.length < limit) {
        const id = `(${cursor.ids[shard]}`
        const entries = await this.#deps.store.outbox.from(shard, id, READ_ENTRIES)
        for (const entry of entries) {
          if (events.length >= limit) break
          if (!entry.backfilled) await add(shard, entry.orderIds)
          cursor.ids[shard] = entry.id
        }
        if (entries.length < READ_ENTRIES) break
      }
    return { kind: 'events', events, next: writeCursor(cursor) }
  }

  /** The next orders of the archive, and where to go on; undefined at the end. */
  async #archived(between: NonNullable<Cursor['archive']>) {
    const { archive, store, shards } = this.#deps
    const pages = archive?.concluded(between)
    const page: FoundOrder[] | undefined = (await pages?.next())?.value
    const last = page?.at(-1)
    if (page === undefined || last === undefined) return undefined
    const acquirers = new Set(await store.acquirers.all())
    const ours = page.filter(({ acquirerId }) => acquirers.has(acquirerId))
    const { concludedAt, acquirerId, paymentId } = last
    return {
      rest: { ...between, after: { concludedAt, acquirerId, paymentId } },
      byShard: Map.groupBy(ours.map(orderIdOf), (orderId) => shardOf(orderId, shards)),
    }
  }

  /** Why the outbox does not have all that is after a cursor; undefined if it does. */
  async #goneBecause(cursor: Cursor): Promise<string | undefined> {
    const { store, shards } = this.#deps
    if (cursor.incarnation !== (await store.sinkStates.incarnation()))
      return 'Redis has lost its data since'
    if (cursor.ids.length !== shards) return 'the number of shards is another one'
    for (const [shard, id] of cursor.ids.entries()) {
      const { first, last } = await store.streams.extent(shard)
      if (isBefore(last, id)) return 'Redis is older than it was'
      const { readTo = last } = (await store.streams.group(shard, PULL, 'outbox').progress()) ?? {}
      const isWhole =
        !isBefore(id, readTo) || (first !== undefined && !isBefore(id, predecessor(first)))
      if (!isWhole) return 'events after it are not kept any more'
    }
    return undefined
  }

  /** After what all who pull have taken: the rest is kept. */
  async #kept(): Promise<Cursor> {
    return this.#cursor(async (shard) => {
      const { streams } = this.#deps.store
      const progress = await streams.group(shard, PULL, 'outbox').progress()
      return progress?.readTo ?? (await streams.extent(shard)).last
    })
  }

  /** After what is in the archive for certain, and is not kept. */
  async #archivedTo(shard: number): Promise<string> {
    const { streams, outbox } = this.#deps.store
    const { first, last } = await streams.extent(shard)
    const { readTo = last } = (await streams.group(shard, PULL, 'outbox').progress()) ?? {}
    const { oldest } = (await outbox.progress(shard)) ?? {}
    const archived = oldest === undefined ? last : predecessor(`${oldest}-0`)
    const from = isBefore(readTo, archived) ? readTo : archived
    const kept = first === undefined ? last : predecessor(first)
    return isBefore(from, kept) ? kept : from
  }

  async #end(): Promise<Cursor> {
    return this.#cursor(async (shard) => (await this.#deps.store.streams.extent(shard)).last)
  }

  async #cursor(idOf: (shard: number) => Promise<string>): Promise<Cursor> {
    const incarnation = await this.#deps.store.sinkStates.incarnation()
    return { incarnation, ids: await Promise.all(this.#all().map(idOf)) }
  }

  #all(): number[] {
    return Array.from({ length: this.#deps.shards }, (_, shard) => shard)
  }
}

const refused = (reason: string): PullAnswer => ({ kind: 'refused', reason })
