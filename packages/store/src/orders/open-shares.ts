import { OrderId, openKey, orderKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'

/**
 * How many open orders of each shard are sampled. With these, a share of 1/8 is known to a few per
 * cent.
 */
const SAMPLE = 64

/**
 * The clients' shares of the open orders, from a random sample. So there are no counters that could
 * drift. Nothing is sampled while no share is asked for, which is so while few orders are open.
 */
export class OpenShares {
  readonly #connection: RedisConnection
  readonly #shards: number
  #shares = new Map<string, number>()
  #isWanted = false

  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#shards = shards
  }

  /** The client's share of the open orders as of the last refresh, 0 to 1. */
  of(clientId: string): number {
    this.#isWanted = true
    return this.#shares.get(clientId) ?? 0
  }

  /** Takes a new sample, if a share was asked for since the last one. */
  async refresh(): Promise<void> {
    if (!this.#isWanted) return
    this.#isWanted = false
    const shards = Array.from({ length: this.#shards }, (_, shard) => this.#clientsOf(shard))
    const clients = (await Promise.all(shards)).flat()
    const shares = new Map<string, number>()
    for (const client of clients) shares.set(client, (shares.get(client) ?? 0) + 1 / clients.length)
    this.#shares = shares
  }

  async #clientsOf(shard: number): Promise<string[]> {
    const orderIds = OrderId.array().parse(
      await this.#connection.zrandmember(openKey(shard), SAMPLE),
    )
    const clients = await Promise.all(
      orderIds.map((orderId) => this.#connection.hget(orderKey(shard, orderId), 'client')),
    )
    return clients.flatMap((client) => client ?? [])
  }
}
