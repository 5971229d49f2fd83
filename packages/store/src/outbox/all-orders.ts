import { Cluster, type Redis } from 'ioredis'
import { type OrderId, OrderId as OrderIds, orderPrefix } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'

/** So many keys are looked at in one call. */
const SCANNED_MAX = 1_000

/**
 * Every order that Redis holds, open or concluded. It takes as long as Redis is full: for an
 * operator alone.
 */
export class AllOrders {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * A shard's orders, page by page. One that is there all the time is on some page, and may be on
   * two.
   */
  async *of(shard: number): AsyncGenerator<OrderId[]> {
    const prefix = orderPrefix(shard)
    const match = `${prefix.replace(/[[\]*?\\]/g, '\\$&')}*`
    for (const node of this.#nodes()) {
      let cursor = '0'
      do {
        const [next, keys] = await node.scan(cursor, 'MATCH', match, 'COUNT', SCANNED_MAX)
        cursor = next
        if (keys.length > 0) yield keys.map((key) => OrderIds.parse(key.slice(prefix.length)))
      } while (cursor !== '0')
    }
  }

  #nodes(): Redis[] {
    return this.#connection instanceof Cluster
      ? this.#connection.nodes('master')
      : [this.#connection]
  }
}
