import { testRedis } from '@placeorder/testkit'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { shardsKey } from '../keys.ts'
import { openDirectory } from '../open-store.ts'
import { connect, disconnect } from './connection.ts'
import { ShardsFault, shardsText } from './shards.ts'

const redis = await testRedis({ own: true })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const connection = connect(address, 'patient')
afterAll(async () => {
  await disconnect(connection)
  await redis.close()
})
beforeEach(() => connection.del(shardsKey))

async function start(shards: number): Promise<void> {
  const { close } = await openDirectory(address, shards)
  await close()
}

test('the number of shards is stored at the first start, and not as a number', async () => {
  await start(4)
  expect(await connection.get(shardsKey)).toBe('{"layout":4,"shards":4}')
  // So versions that kept a number refuse it.
  expect(Number(await connection.get(shardsKey))).toBeNaN()
  await start(4)
})

test.each([
  ['of an older version', '4', /older version of placeorder/],
  ['of a version without an outbox', '{"layout":2,"shards":4}', /older version of placeorder/],
  ['of a version that claims what was forgotten', '{"layout":3,"shards":4}', /older version/],
  ['of a newer version', '{"layout":5,"shards":4}', /newer version of placeorder \(layout 5/],
  ['with another number of shards', shardsText(8), /SHARDS is 4, .* with 8: set SHARDS=8/],
  ['whose shards are being changed', shardsText(8, { to: 4, step: 'fill' }), /reshard 4, and set/],
  ['of something else', 'what?', /placeorder:shards in this Redis is not from placeorder: what\?/],
])('a Redis %s is refused, saying what to do', async (_what, kept, words) => {
  await connection.set(shardsKey, kept)
  await expect(start(4)).rejects.toThrow(words)
  await expect(start(4)).rejects.toThrow(ShardsFault)
  expect(await connection.get(shardsKey)).toBe(kept)
})
