import { connect, disconnect } from '@placeorder/store'
import { testRedis } from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { Claims } from './claims.ts'

const redis = await testRedis({ own: true })
const connection = connect(
  { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' },
  'patient',
)
afterAll(async () => {
  await disconnect(connection)
  await redis.close()
})

test('a paymentId is claimed once', async () => {
  const claims = new Claims(connection)
  const together = await Promise.all([
    claims.claim('one'),
    claims.claim('one'),
    claims.claim('two'),
  ])
  expect(together).toEqual([true, false, true])
  expect(await new Claims(connection).claim('two')).toBe(false)
})

test('claims that arrive during a round trip share the next one', async () => {
  const claims = new Claims(connection)
  const pipeline = vi.spyOn(connection, 'pipeline')
  await Promise.all(Array.from({ length: 50 }, (_, i) => claims.claim(`order ${i}`)))
  expect(pipeline).toHaveBeenCalledTimes(2)
})
