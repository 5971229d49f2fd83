import { type Recent, type RecentCounter, recentCounters } from '@placeorder/decision/facts'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { largeRecentKey, orderIdOf, recentKey, shardOf } from '../keys.ts'
import { type LookupIds, lookupIdsOf } from '../orders/lookup-ids.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/** An order to be counted; `claimedAt` in ms. */
export type OrderToCount = { order: PlaceOrderRequest; claimedAt: number }

/** A kind of subjects, as the script is told of it. */
type Kind = {
  /** 1 is the first. */
  number: number
  subject: keyof LookupIds
  counters: RecentCounter[]
  /** How long after an order its set must be there (ms). */
  spanMs: number
}

/**
 * Orders to be counted in one set, by their position; `seenTo`: it is known to be there for as long as it must; `busy`: many were
 * counted in it since it was seen to.
 */
type CountedSet = {
  shard: number
  key: string
  kind: Kind
  seenTo: boolean
  busy: boolean
  positions: number[]
}

/** Until when a set is there at least (ms), and how many orders were counted in it since that was seen to. */
type SeenSet = { until: number; counted: number }

/** What the script is told of orders but for their claim times, and what becomes of its answer. */
export type CountPlan = {
  keys: string[]
  told: string
  /** `newest`: the latest claim time of the orders (ms). */
  recents: (counts: number[], newest: number) => Recent[]
}

const MINUTE_MS = 60_000
const windowMs = {
  '10m': 10 * MINUTE_MS,
  '1h': 60 * MINUTE_MS,
  '24h': 24 * 60 * MINUTE_MS,
} as const

/** An order that is run again up to this long (ms) after younger ones were counted still sees the whole of its windows. */
const LATE_MS_MAX = 10 * MINUTE_MS

/** A set is seen to be there for so long (ms) beyond what it must: until then nobody need look again. */
const SPARE_MS = 10 * MINUTE_MS

/** Of so many sets it is known how long they are there: those of merchants and codes, which come again and again. */
const SEEN_MAX = 50_000

/** A set is seen to after so many orders: then what is old is removed in small parts. */
const COUNTED_MAX = 64

/** So many large sets are unlinked in one call. */
const UNLINKED_MAX = 100

const none = Object.fromEntries(recentCounters.map((counter) => [counter, 0])) as Recent

/** The subject and the window (ms) a counter's name stands for: `customerOrders10m` is a customer's last 10 min. */
const subjectOf = (counter: RecentCounter) =>
  counter.slice(0, counter.indexOf('Orders')) as keyof LookupIds
const windowOf = (counter: RecentCounter) =>
  windowMs[counter.slice(counter.indexOf('Orders') + 6) as keyof typeof windowMs]

/**
 * How many orders there were lately. Their `OrderId`s are kept, by claim time, and not a number: so each order is counted
 * once, however often it is run.
 */
export class RecentOrders {
  readonly #count = new Script('count-recent')
  readonly #unlinkDue = new Script('unlink-due')
  readonly #connection: RedisConnection
  readonly #shards: number
  /** By key. */
  readonly #seen = new Map<string, SeenSet>()

  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#shards = shards
  }

  /**
   * Counts orders in and resolves with what each of them has before it: the other orders up to its own claim time. Only
   * counters in `used` (those that some rule mentions) are kept; the others are 0.
   */
  async count(orders: OrderToCount[], used: readonly RecentCounter[]): Promise<Recent[]> {
    const newest = Math.max(...orders.map(({ claimedAt }) => claimedAt))
    const kinds = kindsOf(used)
    const sets = this.#setsOf(
      orders.map(({ order }) => lookupIdsOf(order)),
      kinds,
      newest,
    )
    const recents = orders.map(() => ({ ...none }))
    const words = orders.flatMap(({ claimedAt, order }) => [claimedAt, orderIdOf(order)])
    await Promise.all(
      Map.groupBy(sets, ({ shard }) => shard)
        .values()
        .map(async (sets) => {
          const { keys, told } = inWords(sets, kinds)
          const reply = await this.#count.run(this.#connection, keys, [told, ...words])
          this.#read(sets, Counts.parse(reply), newest, recents)
        }),
    )
    return recents
  }

  /**
   * How orders of these subjects are counted by a script that knows their claim times, all at once: where one node keeps all keys.
   * None of them was claimed after `latest` (ms).
   */
  plan(subjects: LookupIds[], used: readonly RecentCounter[], latest: number): CountPlan {
    const kinds = kindsOf(used)
    const sets = this.#setsOf(subjects, kinds, latest)
    return {
      ...inWords(sets, kinds),
      recents: (counts, newest) => {
        const recents = subjects.map(() => ({ ...none }))
        this.#read(sets, counts, newest, recents)
        return recents
      },
    }
  }

  /** Reads what the script has counted in sets into the recents of their orders. */
  #read(
    sets: CountedSet[],
    counts: number[],
    newest: number,
    recents: Record<RecentCounter, number>[],
  ): void {
    let at = 0
    for (const { key, kind, seenTo, positions } of sets) {
      let others = 0
      for (const position of positions) {
        const recent = recents[position]
        for (const counter of kind.counters) {
          const count = counts[at++] ?? 0
          if (recent) recent[counter] = count
          others += count
        }
      }
      const seen = this.#seen.get(key)
      if (seenTo && seen !== undefined) seen.counted += positions.length
      else if (others > 0) this.#noteSeen(key, newest + kind.spanMs + SPARE_MS)
    }
  }

  /** The sets orders of these subjects are counted in. */
  #setsOf(subjects: LookupIds[], kinds: Kind[], latest: number): CountedSet[] {
    const sets = new Map<string, CountedSet>()
    for (const kind of kinds) {
      for (const [position, { [kind.subject]: id }] of subjects.entries()) {
        if (id === undefined) continue
        const shard = shardOf(id, this.#shards)
        const key = recentKey(shard, kind.subject, id)
        const set = sets.get(key)
        if (set !== undefined) set.positions.push(position)
        else {
          const { until, counted } = this.#seen.get(key) ?? { until: 0, counted: 0 }
          const busy = counted >= COUNTED_MAX
          const seenTo = until >= latest + kind.spanMs && !busy
          sets.set(key, { shard, key, kind, seenTo, busy, positions: [position] })
        }
      }
    }
    return [...sets.values()]
  }

  #noteSeen(key: string, until: number): void {
    if (this.#seen.size >= SEEN_MAX) this.#seen.clear()
    this.#seen.set(key, { until, counted: 0 })
  }

  /** Frees a shard's large sets that no window can show any more at `now` (ms); the small ones expire. */
  async unlinkLarge(shard: number, now: number): Promise<void> {
    const index = largeRecentKey(shard)
    const due = await this.#connection.zrangebyscore(index, 1, now, 'LIMIT', 0, UNLINKED_MAX)
    if (due.length > 0) await this.#unlinkDue.run(this.#connection, [index, ...due], [now, ...due])
  }
}

/** The keys and the first argument of the script. Of each order it has two after that, from the second on. */
function inWords(sets: CountedSet[], kinds: Kind[]): { keys: string[]; told: string } {
  const indexes = [...new Set(sets.map(({ shard }) => largeRecentKey(shard)))]
  const told = JSON.stringify([
    kinds.map(({ spanMs, counters }) => [spanMs, SPARE_MS, ...counters.map(windowOf)]),
    sets.flatMap(({ shard, kind, seenTo, busy, positions }) => {
      const index = sets.length + indexes.indexOf(largeRecentKey(shard)) + 1
      return [
        seenTo ? -kind.number : kind.number,
        busy ? -index : index,
        positions.length,
        ...positions.map((position) => 2 * position + 2),
      ]
    }),
  ])
  return { keys: [...sets.map(({ key }) => key), ...indexes], told }
}

/** What the script answers. Made once: making a schema takes longer than reading a reply with it. */
export const Counts = z.array(z.number())

const kindsOf = (used: readonly RecentCounter[]): Kind[] =>
  [...Map.groupBy(used, subjectOf)].map(([subject, counters], i) => ({
    number: i + 1,
    subject,
    counters,
    spanMs: LATE_MS_MAX + Math.max(...counters.map(windowOf)),
  }))
