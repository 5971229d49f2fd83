import { Cluster, type Redis } from 'ioredis'
import {
  abandonedKey,
  keyAmong,
  largeRecentKey,
  OrderId,
  orderPrefix,
  shardOf,
  tagOf,
  unarchivableKey,
} from '../keys.ts'
import type { RedisConnection } from './connection.ts'

/** So many keys are looked at in one call. */
const SCANNED_MAX = 1_000

/** So many keys are moved at once. */
const MOVED_MAX = 100

/** All keys of whole shards, for the change of their number: nobody else may use them meanwhile. */
export class ShardKeys {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** How many orders of a shard there are, and what `move` would move. */
  async count(shard: number, shards: number): Promise<{ orders: number; toMove: number }> {
    let [orders, toMove] = [0, 0]
    const ofOrders = orderPrefix(shard)
    for await (const keys of this.#of(shard)) {
      for (const key of keys) {
        if (key.startsWith(ofOrders)) orders += 1
        else if (keyAmong(shards, key, shard) !== undefined) toMove += 1
      }
    }
    return { orders, toMove }
  }

  /**
   * Moves what belongs to another shard once there are so many: the directory, recent orders, and
   * orders that were set aside. May run again. Calls `moved` with how many keys were.
   */
  async move(shard: number, shards: number, moved: (keys: number) => void): Promise<void> {
    for await (const keys of this.#of(shard)) {
      for (let at = 0; at < keys.length; at += MOVED_MAX) {
        const part = keys.slice(at, at + MOVED_MAX)
        const done = await Promise.all(part.map((key) => this.#moveKey(key, shard, shards)))
        moved(done.filter(Boolean).length)
      }
    }
    await this.#moveSetAside(shard, shards)
  }

  /** Removes all keys of a shard. */
  async remove(shard: number): Promise<void> {
    for await (const keys of this.#of(shard))
      await Promise.all(keys.map((key) => this.#connection.unlink(key)))
  }

  /** The copy comes first: what is interrupted in between is copied again. */
  async #moveKey(key: string, shard: number, shards: number): Promise<boolean> {
    const to = keyAmong(shards, key, shard)
    if (to === undefined) return false
    const [dump, expiry, keptUntil] = await Promise.all([
      this.#connection.dumpBuffer(key),
      this.#connection.pexpiretime(key),
      this.#connection.zscore(largeRecentKey(shard), key),
    ])
    if (dump === null) return false
    await this.#connection.restore(to, Math.max(0, expiry), dump, 'REPLACE', 'ABSTTL')
    if (keptUntil !== null) {
      await this.#connection.zadd(largeRecentKey(shardIn(to)), keptUntil, to)
      await this.#connection.zrem(largeRecentKey(shard), key)
    }
    await this.#connection.unlink(key)
    return true
  }

  async #moveSetAside(shard: number, shards: number): Promise<void> {
    const reasons = Object.entries(await this.#connection.hgetall(unarchivableKey(shard)))
    for (const [orderId, reason] of reasons) {
      const to = shardOf(orderId, shards)
      if (to === shard) continue
      await this.#connection.hset(unarchivableKey(to), orderId, reason)
      await this.#connection.hdel(unarchivableKey(shard), orderId)
    }
    const abandoned = await this.#connection.zrange(abandonedKey(shard), '0', '-1', 'WITHSCORES')
    for (let i = 0; i < abandoned.length; i += 2) {
      const [orderId, at] = [OrderId.parse(abandoned[i]), Number(abandoned[i + 1])]
      const to = shardOf(orderId, shards)
      if (to === shard) continue
      await this.#connection.zadd(abandonedKey(to), at, orderId)
      await this.#connection.zrem(abandonedKey(shard), orderId)
    }
  }

  /** Page by page; a key may be on two pages. */
  async *#of(shard: number): AsyncGenerator<string[]> {
    for (const node of this.#nodes()) {
      let cursor = '0'
      do {
        const match = `${tagOf(shard)}:*`
        const [next, keys] = await node.scan(cursor, 'MATCH', match, 'COUNT', SCANNED_MAX)
        cursor = next
        yield [...new Set(keys)]
      } while (cursor !== '0')
    }
  }

  #nodes(): Redis[] {
    return this.#connection instanceof Cluster
      ? this.#connection.nodes('master')
      : [this.#connection]
  }
}

/** The shard of one of its keys. */
const shardIn = (key: string): number => Number(/\d+/.exec(key)?.[0])
