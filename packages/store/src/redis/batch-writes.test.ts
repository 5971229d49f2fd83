import type { Socket } from 'node:net'
import { testRedis } from '@placeorder/testkit'
import { Redis } from 'ioredis'
import { afterAll, expect, test, vi } from 'vitest'
import { connect, disconnect } from './connection.ts'

const redis = await testRedis({ own: true })
const connection = connect(
  { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' },
  'patient',
)
afterAll(async () => {
  await disconnect(connection)
  await redis.close()
})

test('all commands of one turn of the event loop are sent in one write', async () => {
  await connection.ping()
  const stream = connection instanceof Redis ? (connection.stream as Socket) : undefined
  if (stream === undefined) throw new Error('it is a connection to one server')
  const one = vi.spyOn(stream, '_write')
  const many = vi.spyOn(stream, '_writev')
  const later = Promise.resolve().then(() => connection.set('later', 1))
  const all = Array.from({ length: 50 }, (_, i) => connection.set(`key-${i}`, i))
  expect(await Promise.all([...all, later])).toEqual(Array.from({ length: 51 }, () => 'OK'))
  // One may be a ping's.
  expect(one.mock.calls.length + many.mock.calls.length).toBeLessThanOrEqual(2)
})
