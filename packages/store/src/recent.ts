import { type Recent, type RecentCounter, recentCounters } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { recentKey, shardOf } from './keys.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'

/** An order to be counted; `claimedAt` in ms. */
export type Counted = { order: PlaceOrderRequest; claimedAt: number }

/** One order's question about one subject: how many others of it are there, in the windows of these counters? */
type Ask = { position: number; shard: number; key: string; counters: RecentCounter[] }

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
    if (used.length === 0) return recents
    const bySubject = [...Map.groupBy(used, subjectOf)]
    const asks = orders.flatMap(({ order }, position) =>
      bySubject.flatMap(([subject, counters]) =>
        this.#ask(position, subject, idOf[subject](order), counters),
      ),
    )
    const byShard = Map.groupBy(asks, ({ shard }) => shard)
    await Promise.all(
      [...byShard.values()].map(async (shardAsks) => {
        const counts = await this.#run(shardAsks, orders)
        let at = 0
        for (const { position, counters } of shardAsks) {
          const recent = recents[position]
          for (const counter of counters) if (recent) recent[counter] = counts[at++] ?? 0
        }
      }),
    )
    return recents
  }

  #ask(position: number, subject: Subject, id: string | undefined, counters: RecentCounter[]): Ask[] {
    if (id === undefined) return []
    const shard = shardOf(id, this.#shards)
    return [{ position, shard, key: recentKey(shard, subject, id), counters }]
  }

  async #run(asks: Ask[], orders: Counted[]): Promise<number[]> {
    const places = new Map<string, number>()
    const placeOf = (key: string) => places.get(key) ?? places.set(key, places.size + 1).size
    const args = asks.flatMap(({ position, key, counters }) => {
      const { order, claimedAt } = orders[position] as Counted
      return [placeOf(key), order.paymentId, claimedAt, counters.length, ...counters.map(windowOf)]
    })
    const reply = await this.#count.run(this.#connection, [...places.keys()], [LATE_MS_MAX, ...args])
    return z.array(z.number()).parse(reply)
  }
}
