import { type Recent, type RecentCounter, recentCounters } from '@placeorder/decision/facts'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { recentKey, shardOf } from './keys.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'

/** An order to be counted; `claimedAt` in ms. */
export type Counted = { order: PlaceOrderRequest; claimedAt: number }

/** Orders to be counted in one set, by their position, and the counters it is counted for. */
type CountedSet = { key: string; kind: number; counters: RecentCounter[]; positions: number[] }

const MINUTE_MS = 60_000
const windowMs = { '10m': 10 * MINUTE_MS, '1h': 60 * MINUTE_MS, '24h': 24 * 60 * MINUTE_MS } as const

/** An order that is run again up to this long (ms) after younger ones were counted still sees the whole of its windows. */
const LATE_MS_MAX = 10 * MINUTE_MS

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
    await Promise.all(
      this.#setsOf(orders, used).map(async (sets) => {
        const counts = await this.#run(sets, orders, used)
        let at = 0
        for (const { positions, counters } of sets) {
          for (const position of positions) {
            const recent = recents[position]
            for (const counter of counters) if (recent) recent[counter] = counts[at++] ?? 0
          }
        }
      }),
    )
    return recents
  }

  /** The sets these orders are counted in, of each shard that has some. */
  #setsOf(orders: Counted[], used: readonly RecentCounter[]): CountedSet[][] {
    const shards = new Map<number, Map<string, CountedSet>>()
    for (const [kind, [subject, counters]] of [...kindsOf(used)].entries()) {
      for (const [position, { order }] of orders.entries()) {
        const id = idOf[subject](order)
        if (id === undefined) continue
        const shard = shardOf(id, this.#shards)
        const key = recentKey(shard, subject, id)
        const sets = shards.get(shard) ?? new Map<string, CountedSet>()
        const set = sets.get(key) ?? { key, kind, counters, positions: [] }
        set.positions.push(position)
        shards.set(shard, sets.set(key, set))
      }
    }
    return [...shards.values()].map((sets) => [...sets.values()])
  }

  async #run(sets: CountedSet[], orders: Counted[], used: readonly RecentCounter[]): Promise<number[]> {
    const keys = sets.map(({ key }) => key)
    const told = JSON.stringify([
      orders.flatMap(({ claimedAt, order }) => [String(claimedAt), order.paymentId]),
      [...kindsOf(used).values()].map((counters) => spanOf(counters.map(windowOf), orders)),
      sets.flatMap(({ kind, positions }) => [
        kind + 1,
        positions.length,
        ...positions.map((position) => 2 * position + 1),
      ]),
    ])
    return Counts.parse(await this.#count.run(this.#connection, keys, [told]))
  }
}

/** What the script answers. Made once: making a schema takes longer than reading a reply with it. */
const Counts = z.array(z.number())

const kindsOf = (used: readonly RecentCounter[]) => Map.groupBy(used, subjectOf)

/** What the script is told of sets with these windows (ms): what to forget, until when they are needed and kept. */
function spanOf(windows: number[], orders: Counted[]): [string, number, string, number[]] {
  const newest = Math.max(...orders.map(({ claimedAt }) => claimedAt))
  const span = LATE_MS_MAX + Math.max(...windows)
  return [String(newest - span), newest + span, String(newest + 2 * span), windows]
}
