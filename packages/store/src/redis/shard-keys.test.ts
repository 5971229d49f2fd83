import { testRedis } from '@placeorder/testkit'
import { afterAll, beforeEach, expect, test } from 'vitest'
import {
  abandonedKey,
  codeKey,
  digestOf,
  keyAmong,
  largeRecentKey,
  merchantKey,
  OrderId,
  orderKey,
  outboxKey,
  recentKey,
  shardOf,
  unarchivableKey,
} from '../keys.ts'
import { connect, disconnect } from './connection.ts'
import { ShardKeys } from './shard-keys.ts'

const redis = await testRedis({ own: true })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const connection = connect(address, 'patient')
const shardKeys = new ShardKeys(connection)
afterAll(async () => {
  await disconnect(connection)
  await redis.close()
})
beforeEach(() => connection.flushall())

const SHARDS = 3
const merchants = ['M-1', 'M:2', 'M\n3', '{s0}', 'M-5', 'M-6']
const orderIds = merchants.map((name) => OrderId.parse(`A:${name}`))
const code = digestOf('a code')

test('what is kept by its subject belongs to the shard of that, whatever its name', () => {
  for (const merchant of merchants) {
    const to = shardOf(merchant, SHARDS)
    const expected = to === 0 ? undefined : merchantKey(to, merchant)
    expect(keyAmong(SHARDS, merchantKey(0, merchant), 0)).toBe(expected)
    expect(keyAmong(SHARDS, recentKey(0, 'merchant', merchant), 0)).toBe(
      expected && recentKey(to, 'merchant', merchant),
    )
  }
  const to = shardOf(code, SHARDS)
  expect(keyAmong(SHARDS, codeKey(SHARDS, code), SHARDS)).toBe(codeKey(to, code))
})

test.each([outboxKey(1), largeRecentKey(1), abandonedKey(1), '{s1}:orders:wait', '{s1}:open'])(
  '%s belongs to its shard, whatever their number',
  (key) => {
    expect(keyAmong(SHARDS, key, 1)).toBeUndefined()
  },
)

test('keys move with their expiry and their place in the index, and may move twice', async () => {
  const expiry = Date.now() + 3_600_000
  for (const merchant of merchants) {
    await connection.set(merchantKey(0, merchant), merchant)
    await connection.zadd(recentKey(0, 'merchant', merchant), 1, 'an order')
    await connection.pexpireat(recentKey(0, 'merchant', merchant), expiry)
    await connection.zadd(largeRecentKey(0), expiry, recentKey(0, 'merchant', merchant))
  }
  let moved = 0
  const count = (keys: number) => {
    moved += keys
  }
  await shardKeys.move(0, SHARDS, count)
  const others = merchants.filter((merchant) => shardOf(merchant, SHARDS) !== 0)
  expect(moved).toBe(2 * others.length)
  await shardKeys.move(0, SHARDS, count)
  expect(moved).toBe(2 * others.length)
  for (const merchant of merchants) {
    const shard = shardOf(merchant, SHARDS)
    const recent = recentKey(shard, 'merchant', merchant)
    expect(await connection.get(merchantKey(shard, merchant))).toBe(merchant)
    expect(await connection.zrange(recent, '0', '-1')).toEqual(['an order'])
    expect(await connection.pexpiretime(recent)).toBe(expiry)
    expect(await connection.zscore(largeRecentKey(shard), recent)).toBe(String(expiry))
  }
  expect(await connection.zcard(largeRecentKey(0))).toBe(merchants.length - others.length)
})

test('orders that were set aside move with why, and with when they were abandoned', async () => {
  for (const orderId of orderIds) {
    await connection.hset(orderKey(0, orderId), 'terms', 'some')
    await connection.hset(unarchivableKey(0), orderId, 'why')
    await connection.zadd(abandonedKey(0), 5, orderId)
  }
  await shardKeys.move(0, SHARDS, () => {})
  for (const orderId of orderIds) {
    const shard = shardOf(orderId, SHARDS)
    expect(await connection.hget(orderKey(shard, orderId), 'terms')).toBe('some')
    expect(await connection.hget(unarchivableKey(shard), orderId)).toBe('why')
    expect(await connection.zscore(abandonedKey(shard), orderId)).toBe('5')
  }
})

test('all keys of a shard are removed, and no others', async () => {
  const others = ['{s1}:open', '{s10}:open', '{u}:code-holder:x', 'placeorder:shards']
  await connection.mset(...['{s0}:open', '{s0}:a:b'].flatMap((key) => [key, '1']))
  await connection.mset(...others.flatMap((key) => [key, '1']))
  await shardKeys.remove(0)
  expect((await connection.keys('*')).sort()).toEqual(others.sort())
})
