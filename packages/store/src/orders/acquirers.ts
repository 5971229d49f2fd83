import {
  acquirersKey,
  type OrderId,
  type OrderNames,
  orderIdOf,
  orderKey,
  shardOf,
} from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'

/**
 * The acquirers that orders were claimed for: with them, an order is found by its paymentId alone.
 */
export class Acquirers {
  readonly #connection: RedisConnection
  readonly #shards: number
  readonly #noted = new Set<string>()

  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#shards = shards
  }

  /** Stores the acquirers of orders: one command for each acquirer in the life of a process. */
  async note(orders: readonly Pick<OrderNames, 'acquirerId'>[]): Promise<void> {
    const fresh = new Set(orders.map(({ acquirerId }) => acquirerId)).difference(this.#noted)
    if (fresh.size === 0) return
    await this.#connection.sadd(acquirersKey, ...fresh)
    for (const acquirerId of fresh) this.#noted.add(acquirerId)
  }

  /** All of them. */
  all(): Promise<string[]> {
    return this.#connection.smembers(acquirersKey)
  }

  /** The orders with this paymentId, at most one for each acquirer. */
  async ordersOf(paymentId: string): Promise<OrderId[]> {
    const acquirerIds = (await this.all()).sort()
    const orderIds = acquirerIds.map((acquirerId) => orderIdOf({ acquirerId, paymentId }))
    const found = await Promise.all(orderIds.map((orderId) => this.#exists(orderId)))
    return orderIds.filter((_, i) => found[i])
  }

  async #exists(orderId: OrderId): Promise<boolean> {
    return (await this.#connection.exists(orderKey(shardOf(orderId, this.#shards), orderId))) === 1
  }
}
