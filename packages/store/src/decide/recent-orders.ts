import { type Recent, type RecentCounter, recentCounters } from '@placeorder/decision/facts'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { largeRecentKey, orderIdOf, recentKey, shardOf } from '../keys.ts'
import { type LookupIds, lookupIdsOf } from '../orders/lookup-ids.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/** An order to be counted; `claimedAt` in ms. */
export type OrderToCount = { order: PlaceOrderRequest; claimedAt: number }

/** A kind of subject: whose recent orders are counted, and in which windows. */
type Kind = {
  /** 1 is the first. */
  number: number
  subject: keyof LookupIds
  counters: RecentCounter[]
  /** How long after an order its set must exist (ms). */
  spanMs: number
}

/** A set of recent orders in Redis, and the positions of the orders to count in it. */
type RecentSet = { shard: number; key: string; kind: Kind; positions: number[] }

type PlannedSet = RecentSet & {
  /** It is known to be kept for as long as it must exist. */
  isKept: boolean
  /** Many orders were counted in it since its expiry was last prolonged. */
  isBusy: boolean
}

/** Until when a set is kept at least (ms), and how many orders were counted in it since then. */
type KnownExpiry = { until: number; counted: number }

/** The keys and the first argument of the script. */
export type CountPlan = {
  keys: string[]
  sets: string
  /** Notes the script's reply. `newest`: the latest claim time of the orders (ms). */
  note: (counts: number[], newest: number) => void
}

const MINUTE_MS = 60_000
const windowMs = {
  '10m': 10 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
  '24h': 24 * 60 * MINUTE_MS,
} as const

/**
 * An order that is judged again up to this long (ms) after younger ones were counted still has its
 * whole windows.
 */
const LATE_MS_MAX = 10 * MINUTE_MS

/**
 * A set is kept for this long (ms) beyond what it must, so that few orders need to prolong its
 * expiry.
 */
const SPARE_MS = 10 * MINUTE_MS

/**
 * How many sets' expiries are remembered: those of merchants and codes, which come again and again.
 */
const EXPIRIES_MAX = 50_000

/** A set is maintained after this many orders, so that old ones are removed in small parts. */
const COUNTED_MAX = 64

/** How many large sets are unlinked in one call. */
const UNLINKED_MAX = 100

const none = Object.fromEntries(recentCounters.map((counter) => [counter, 0])) as Recent

/**
 * The subject and the window (ms) of a counter: `customerOrders10m` is a customer's last 10 min.
 */
const subjectOf = (counter: RecentCounter) =>
  counter.slice(0, counter.indexOf('Orders')) as keyof LookupIds
const windowOf = (counter: RecentCounter) =>
  windowMs[counter.slice(counter.indexOf('Orders') + 6) as keyof typeof windowMs]

/**
 * Counts recent orders. The `OrderId`s are kept by claim time, and not a number, so that each order
 * is counted once, however often it is judged.
 */
export class RecentOrders {
  readonly #count = new Script('count-recent')
  readonly #unlinkDue = new Script('unlink-due')
  readonly #connection: RedisConnection
  readonly #shards: number
  /** By the set's key. */
  readonly #expiries = new Map<string, KnownExpiry>()

  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#shards = shards
  }

  /**
   * Counts orders. Resolves with the number of other orders before each of them, up to its own
   * claim time. Only counters in `used` (those that some rule mentions) are kept; the others are 0.
   */
  async count(orders: OrderToCount[], used: readonly RecentCounter[]): Promise<Recent[]> {
    const newest = Math.max(...orders.map(({ claimedAt }) => claimedAt))
    const kinds = kindsOf(used)
    const subjects = orders.map(({ order }) => lookupIdsOf(order))
    const recents = orders.map(() => ({ ...none }))
    const words = orders.flatMap(({ claimedAt, order }) => [claimedAt, orderIdOf(order)])
    await Promise.all(
      Map.groupBy(setsOf(subjects, kinds, this.#shards), ({ shard }) => shard)
        .values()
        .map(async (sets) => {
          const { keys, sets: argument, note } = this.#planFor(sets, kinds, newest)
          const reply = await this.#count.run(this.#connection, keys, [argument, ...words])
          const counts = Counts.parse(reply)
          note(counts, newest)
          copy(counts, sets, recents)
        }),
    )
    return recents
  }

  /**
   * Plans the counting of orders for a script that has their claim times itself, where one node
   * holds all keys; undefined for orders that are not to be counted. No order was claimed after
   * `latest` (ms). `recents` reads the script's reply.
   */
  plan(
    subjects: (LookupIds | undefined)[],
    used: readonly RecentCounter[],
    latest: number,
  ): CountPlan {
    const kinds = kindsOf(used)
    return this.#planFor(setsOf(subjects, kinds, this.#shards), kinds, latest)
  }

  /** The recents of orders with these ids, from the reply of a script for their `plan`. */
  recents(
    subjects: (LookupIds | undefined)[],
    used: readonly RecentCounter[],
    counts: number[],
  ): Recent[] {
    const recents = subjects.map(() => ({ ...none }))
    copy(counts, setsOf(subjects, kindsOf(used), this.#shards), recents)
    return recents
  }

  #planFor(sets: RecentSet[], kinds: Kind[], latest: number): CountPlan {
    const planned = sets.map((set) => {
      const { until, counted } = this.#expiries.get(set.key) ?? { until: 0, counted: 0 }
      const isBusy = counted >= COUNTED_MAX
      return { ...set, isBusy, isKept: until >= latest + set.kind.spanMs && !isBusy }
    })
    const { keys, argument } = scriptInput(planned, kinds)
    const note = (counts: number[], newest: number) => this.#note(planned, counts, newest)
    return { keys, sets: argument, note }
  }

  /** Remembers until when the sets are kept at least. */
  #note(sets: PlannedSet[], counts: number[], newest: number): void {
    let at = 0
    for (const { key, kind, isKept, positions } of sets) {
      const end = at + positions.length * kind.counters.length
      const hasOthers = counts.slice(at, end).some((count) => count > 0)
      at = end
      const expiry = this.#expiries.get(key)
      if (isKept && expiry !== undefined) expiry.counted += positions.length
      else if (hasOthers) this.#noteExpiry(key, newest + kind.spanMs + SPARE_MS)
    }
  }

  #noteExpiry(key: string, until: number): void {
    if (this.#expiries.size >= EXPIRIES_MAX) this.#expiries.clear()
    this.#expiries.set(key, { until, counted: 0 })
  }

  /** Frees a shard's large sets that are in no window any more at `now` (ms); small ones expire. */
  async unlinkLarge(shard: number, now: number): Promise<void> {
    const index = largeRecentKey(shard)
    const due = await this.#connection.zrangebyscore(index, 1, now, 'LIMIT', 0, UNLINKED_MAX)
    if (due.length > 0) await this.#unlinkDue.run(this.#connection, [index, ...due], [now, ...due])
  }
}

/** Copies the script's counts into the recents of the orders. */
function copy(counts: number[], sets: RecentSet[], recents: Record<RecentCounter, number>[]): void {
  let at = 0
  for (const { kind, positions } of sets) {
    for (const position of positions) {
      for (const counter of kind.counters) {
        const recent = recents[position]
        if (recent) recent[counter] = counts[at] ?? 0
        at += 1
      }
    }
  }
}

/** The sets in which orders with these ids are counted, in the order of the script's reply. */
function setsOf(subjects: (LookupIds | undefined)[], kinds: Kind[], shards: number): RecentSet[] {
  const sets = new Map<string, RecentSet>()
  for (const kind of kinds) {
    for (const [position, ids] of subjects.entries()) {
      const id = ids?.[kind.subject]
      if (id === undefined) continue
      const shard = shardOf(id, shards)
      const key = recentKey(shard, kind.subject, id)
      const set = sets.get(key)
      if (set !== undefined) set.positions.push(position)
      else sets.set(key, { shard, key, kind, positions: [position] })
    }
  }
  return [...sets.values()]
}

/** The keys and the first argument of the script; its contract says what they mean. */
function scriptInput(sets: PlannedSet[], kinds: Kind[]): { keys: string[]; argument: string } {
  const indexes = [...new Set(sets.map(({ shard }) => largeRecentKey(shard)))]
  const argument = JSON.stringify({
    kinds: kinds.map(({ spanMs, counters }) => ({
      span: spanMs,
      spare: SPARE_MS,
      windows: counters.map(windowOf),
    })),
    sets: {
      kind: sets.map(({ kind }) => kind.number),
      index: sets.map(({ shard }) => sets.length + indexes.indexOf(largeRecentKey(shard)) + 1),
      isKept: sets.map(({ isKept }) => isKept),
      isBusy: sets.map(({ isBusy }) => isBusy),
      orders: sets.map(({ positions }) => positions.map((position) => position + 1)),
    },
  })
  return { keys: [...sets.map(({ key }) => key), ...indexes], argument }
}

/** The script's reply. Made once: making a schema takes longer than parsing a reply with it. */
export const Counts = z.array(z.number())

const kindsOf = (used: readonly RecentCounter[]): Kind[] =>
  [...Map.groupBy(used, subjectOf)].map(([subject, counters], i) => ({
    number: i + 1,
    subject,
    counters,
    spanMs: LATE_MS_MAX + Math.max(...counters.map(windowOf)),
  }))
