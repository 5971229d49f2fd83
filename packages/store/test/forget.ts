import { archiveKey, forgottenKey, type OrderId, orderKey, shardOf } from '../src/keys.ts'
import { bitsOf, Filters, lastBitOf } from '../src/outbox/filters.ts'
import type { RedisConnection } from '../src/redis/connection.ts'

/** The archive of a shard that has none yet. */
export const archiveId = '6b0f5f0e-5d5c-4c57-9a5b-0d6a1c1d2e3f'

/** Adds a filter to a shard's list. */
export async function addFilter(
  connection: RedisConnection,
  { shard = 0, bytes = 6_400 } = {},
): Promise<void> {
  const { generation, filters } = await new Filters(connection).read(shard)
  const n = (filters.at(-1)?.n ?? 0) + 1
  await connection.setbit(forgottenKey(shard, n), lastBitOf(bytes), 1)
  const listed = [...filters, { n, bytes, count: 0 }]
    .map((filter) => `${filter.n}:${filter.bytes}:${filter.count}`)
    .join(' ')
  await connection
    .multi()
    .hsetnx(archiveKey(shard), 'uuid', archiveId)
    .hset(archiveKey(shard), 'filters', listed, 'generation', generation + 1)
    .exec()
}

/** Sets the bits of orders in the newest filters of their shards, and removes their records. */
export async function forget(
  connection: RedisConnection,
  orderIds: OrderId[],
  { shards = 1, version = 7 } = {},
): Promise<void> {
  for (const orderId of orderIds) {
    const shard = shardOf(orderId, shards)
    const newest = (await new Filters(connection).read(shard)).filters.at(-1)
    if (newest === undefined) throw new Error('there is no filter')
    for (const bit of bitsOf(orderId, newest.bytes))
      await connection.setbit(forgottenKey(shard, newest.n), bit, 1)
    await connection.hset(archiveKey(shard), 'forgottenVersion', version)
    await connection.unlink(orderKey(shard, orderId))
  }
}
