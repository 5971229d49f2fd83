import { type Recent, type RecentCounter, recentCounters } from '@placeorder/decision/facts'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { recentKey, shardOf } from './keys.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'

/** An order to be counted; `claimedAt` in ms. */
export type Counted = { order: PlaceOrderRequest; claimedAt: number }

/** A kind of subjects, as the script is told of it. */
type Kind = {
  /** 1 is the first. */
  number: number
  subject: Subject
  counters: RecentCounter[]
  /** How long after an order its set must be there (ms). */
  spanMs: number
}

/** Orders to be counted in one set, by their position; `seenTo`: it is known to be there for as long as it must. */
type CountedSet = { key: string; kind: Kind; seenTo: boolean; positions: number[] }

const MINUTE_MS = 60_000
const windowMs = { '10m': 10 * MINUTE_MS, '1h': 60 * MINUTE_MS, '24h': 24 * 60 * MINUTE_MS } as const

/** An order that is run again up to this long (ms) after younger ones were counted still sees the whole of its windows. */
const LATE_MS_MAX = 10 * MINUTE_MS

/** A set is seen to be there for so long (ms) beyond what it must: until then nobody need look again. */
const SPARE_MS = 10 * MINUTE_MS

/** Of so many sets it is known how long they are there: those of merchants and codes, which come again and again. */
const SEEN_MAX = 50_000

const none = Object.fromEntries(recentCounters.map((counter) => [counter, 0])) as Recent

/** The subject and the window (ms) a counter's name stands for: `customerOrders10m` is a customer's last 10 min. */
const subjectOf = (counter: RecentCounter) => counter.slice(0, counter.indexOf('Orders')) as Subject
const windowOf = (counter: RecentCounter) =>
  windowMs[counter.slice(counter.indexOf('Orders') + 6) as keyof typeof windowMs]
type Subject = 'customer' | 'code' | 'merchant'

const idOf = {
  customer: (order: PlaceOrderRequest) => order.customerId,
  code: (order: PlaceOrderRequest) => order.codeValue,
  merchant: (order: PlaceOrderRequest) => order.merchant.referenceMerchantId,
} as const satisfies Record<Subject, (order: PlaceOrderRequest) => string | undefined>

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
    const recents: Record<RecentCounter, number>[] = orders.map(() => ({ ...none }))
    const newest = Math.max(...orders.map(({ claimedAt }) => claimedAt))
    const kinds = kindsOf(used)
    await Promise.all(
      this.#setsOf(orders, kinds, newest).map(async (sets) => {
        const counts = await this.#run(sets, orders, kinds, newest)
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
      }),
    )
    return recents
  }

  /** The sets these orders are counted in, of each shard that has some. */
  #setsOf(orders: Counted[], kinds: Kind[], newest: number): CountedSet[][] {
    const shards = new Map<number, Map<string, CountedSet>>()
    for (const kind of kinds) {
      for (const [position, { order }] of orders.entries()) {
        const id = idOf[kind.subject](order)
        if (id === undefined) continue
        const shard = shardOf(id, this.#shards)
        const key = recentKey(shard, kind.subject, id)
        const sets = shards.get(shard) ?? new Map<string, CountedSet>()
        const set = sets.get(key) ?? {
          key,
          kind,
          seenTo: this.#isThere(key, newest + kind.spanMs),
          positions: [],
        }
        set.positions.push(position)
        shards.set(shard, sets.set(key, set))
      }
    }
    return [...shards.values()].map((sets) => [...sets.values()])
  }

  async #run(sets: CountedSet[], orders: Counted[], kinds: Kind[], newest: number): Promise<number[]> {
    const keys = sets.map(({ key }) => key)
    const told = JSON.stringify([
      orders.flatMap(({ claimedAt, order }) => [String(claimedAt), order.paymentId]),
      kinds.map(({ spanMs, counters }) => [
        String(newest - spanMs),
        newest + spanMs + SPARE_MS,
        String(newest + 2 * spanMs),
        counters.map(windowOf),
      ]),
      sets.flatMap(({ kind, seenTo, positions }) => [
        seenTo ? -kind.number : kind.number,
        positions.length,
        ...positions.map((position) => 2 * position + 1),
      ]),
    ])
    return Counts.parse(await this.#count.run(this.#connection, keys, [told]))
  }

  #isThere(key: string, until: number): boolean {
    return (this.#thereUntil.get(key) ?? 0) >= until
  }

  #noteThere(key: string, until: number): void {
    if (this.#thereUntil.size >= SEEN_MAX) this.#thereUntil.clear()
    this.#thereUntil.set(key, until)
  }
}

/** What the script answers. Made once: making a schema takes longer than reading a reply with it. */
const Counts = z.array(z.number())

const kindsOf = (used: readonly RecentCounter[]): Kind[] =>
  [...Map.groupBy(used, subjectOf)].map(([subject, counters], i) => ({
    number: i + 1,
    subject,
    counters,
    spanMs: LATE_MS_MAX + Math.max(...counters.map(windowOf)),
  }))
