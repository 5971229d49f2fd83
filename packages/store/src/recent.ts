import { type Recent, type RecentCounter, recentCounters } from '@placeorder/decision/facts'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { recentKey, shardOf } from './keys.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'

/** Whose recent orders an order is one of. */
export type Subjects = { merchant: string; code: string; customer: string | undefined }

/** An order to be counted; `claimedAt` in ms. */
export type Counted = { order: PlaceOrderRequest; claimedAt: number }

/** A kind of subjects, as the script is told of it. */
type Kind = {
  /** 1 is the first. */
  number: number
  subject: keyof Subjects
  counters: RecentCounter[]
  /** How long after an order its set must be there (ms). */
  spanMs: number
}

/** Orders to be counted in one set, by their position; `seenTo`: it is known to be there for as long as it must. */
type CountedSet = { shard: number; key: string; kind: Kind; seenTo: boolean; positions: number[] }

/** What the script is told of orders but for their claim times, and what becomes of its answer. */
export type Counting = {
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

const none = Object.fromEntries(recentCounters.map((counter) => [counter, 0])) as Recent

/** The subject and the window (ms) a counter's name stands for: `customerOrders10m` is a customer's last 10 min. */
const subjectOf = (counter: RecentCounter) =>
  counter.slice(0, counter.indexOf('Orders')) as keyof Subjects
const windowOf = (counter: RecentCounter) =>
  windowMs[counter.slice(counter.indexOf('Orders') + 6) as keyof typeof windowMs]

export const subjectsOf = ({ merchant, codeValue, customerId }: PlaceOrderRequest): Subjects => ({
  merchant: merchant.referenceMerchantId,
  code: codeValue,
  customer: customerId,
})

/**
 * How many orders there were lately. Their paymentIds are kept, by claim time, and not a number: so each order is counted
 * once, however often it is run.
 */
export class RecentOrders {
  readonly #count = new Script('count-recent')
  readonly #connection: Connection
  readonly #shards: number
  /** Until when sets are there at least (ms), by key. */
  readonly #thereUntil = new Map<string, number>()

  constructor(connection: Connection, shards: number) {
    this.#connection = connection
    this.#shards = shards
  }

  /**
   * Counts orders in and resolves with what each of them has before it: the other orders up to its own claim time. Only
   * counters in `used` (those that some rule mentions) are kept; the others are 0.
   */
  async count(orders: Counted[], used: readonly RecentCounter[]): Promise<Recent[]> {
    const newest = Math.max(...orders.map(({ claimedAt }) => claimedAt))
    const kinds = kindsOf(used)
    const sets = this.#setsOf(
      orders.map(({ order }) => subjectsOf(order)),
      kinds,
      newest,
    )
    const recents = orders.map(() => ({ ...none }))
    const words = orders.flatMap(({ claimedAt, order }) => [claimedAt, order.paymentId])
    await Promise.all(
      Map.groupBy(sets, ({ shard }) => shard)
        .values()
        .map(async (sets) => {
          const keys = sets.map(({ key }) => key)
          const reply = await this.#count.run(this.#connection, keys, [told(sets, kinds), ...words])
          this.#read(sets, Counts.parse(reply), newest, recents)
        }),
    )
    return recents
  }

  /**
   * How orders of these subjects are counted by a script that knows their claim times, all at once: where one node keeps all keys.
   * None of them was claimed after `latest` (ms).
   */
  counting(subjects: Subjects[], used: readonly RecentCounter[], latest: number): Counting {
    const kinds = kindsOf(used)
    const sets = this.#setsOf(subjects, kinds, latest)
    return {
      keys: sets.map(({ key }) => key),
      told: told(sets, kinds),
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
      if (others > 0 && !seenTo) this.#noteThere(key, newest + kind.spanMs + SPARE_MS)
    }
  }

  /** The sets orders of these subjects are counted in. */
  #setsOf(subjects: Subjects[], kinds: Kind[], latest: number): CountedSet[] {
    const sets = new Map<string, CountedSet>()
    for (const kind of kinds) {
      for (const [position, { [kind.subject]: id }] of subjects.entries()) {
        if (id === undefined) continue
        const shard = shardOf(id, this.#shards)
        const key = recentKey(shard, kind.subject, id)
        const set = sets.get(key)
        if (set !== undefined) set.positions.push(position)
        else {
          const seenTo = this.#isThere(key, latest + kind.spanMs)
          sets.set(key, { shard, key, kind, seenTo, positions: [position] })
        }
      }
    }
    return [...sets.values()]
  }

  #isThere(key: string, until: number): boolean {
    return (this.#thereUntil.get(key) ?? 0) >= until
  }

  #noteThere(key: string, until: number): void {
    if (this.#thereUntil.size >= SEEN_MAX) this.#thereUntil.clear()
    this.#thereUntil.set(key, until)
  }
}

/** The first argument of the script. Of each order it has two after that, from the second on. */
const told = (sets: CountedSet[], kinds: Kind[]): string =>
  JSON.stringify([
    kinds.map(({ spanMs, counters }) => [spanMs, SPARE_MS, ...counters.map(windowOf)]),
    sets.flatMap(({ kind, seenTo, positions }) => [
      seenTo ? -kind.number : kind.number,
      positions.length,
      ...positions.map((position) => 2 * position + 2),
    ]),
  ])

/** What the script answers. Made once: making a schema takes longer than reading a reply with it. */
export const Counts = z.array(z.number())

const kindsOf = (used: readonly RecentCounter[]): Kind[] =>
  [...Map.groupBy(used, subjectOf)].map(([subject, counters], i) => ({
    number: i + 1,
    subject,
    counters,
    spanMs: LATE_MS_MAX + Math.max(...counters.map(windowOf)),
  }))
