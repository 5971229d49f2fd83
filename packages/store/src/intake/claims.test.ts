import { aPlaceOrder, testRedis } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { addFilter, archiveId } from '../../test/forget.ts'
import { archiveKey, orderIdOf } from '../keys.ts'
import { Filters } from '../outbox/filters.ts'
import { connect, disconnect } from '../redis/connection.ts'
import { Claims } from './claims.ts'

// Nobody else sends commands to this Redis.
const redis = await testRedis({ own: true })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const connection = connect(address, 'patient')
afterAll(async () => {
  await disconnect(connection)
  await redis.close()
})

/** How many commands Redis runs to claim a group, without those that keep a connection. */
async function commandsOfClaim(): Promise<number> {
  const filters = await new Filters(connection).read(0)
  const orders = Array.from({ length: 32 }, () => aPlaceOrder())
  await connection.config('RESETSTAT')
  await new Claims(connection).claim({
    shard: 0,
    channel: '{s0}:ingress:test',
    jobId: 'J-1',
    filters,
    orders: orders.map((order) => ({ orderId: orderIdOf(order), order, clientId: 'C-1' })),
  })
  const stats = await connection.info('commandstats')
  return [
    ...stats.matchAll(/^cmdstat_(?!info|config|client|ping|hello)[^:]+:calls=(\d+)/gm),
  ].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

test('an archive costs one command a group, and each filter one', async () => {
  const without = await commandsOfClaim()
  await connection.hset(archiveKey(0), 'uuid', archiveId, 'outbox', 'on')
  expect(await commandsOfClaim()).toBe(without + 1)
  await addFilter(connection)
  expect(await commandsOfClaim()).toBe(without + 2)
  await addFilter(connection)
  expect(await commandsOfClaim()).toBe(without + 3)
})
