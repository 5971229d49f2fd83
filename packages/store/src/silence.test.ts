import { once } from 'node:events'
import { FaultProxy, testRedis } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { connect } from './redis.ts'

const redis = await testRedis()
const proxy = await FaultProxy.open({ port: Number(new URL(redis.url).port) })
const urls = [`redis://127.0.0.1:${proxy.port}`]
const connection = connect({ urls, cluster: false, sentinels: [], sentinelName: '' }, 'patient')
const errors: string[] = []
connection.on('error', ({ message }: Error) => errors.push(message))
afterAll(async () => {
  connection.disconnect()
  await proxy.close()
  await redis.close()
})

const comesBack = () => expect.poll(() => connection.ping(), { timeout: 5_000 }).toBe('PONG')

test('a connection that has gone silent is opened anew', async () => {
  await comesBack()
  proxy.halfOpen('server')
  await comesBack()
  expect(errors).toContain('Redis has not answered for 1000 ms')
})

// Chaos, seed 203.
test('one that was closed, and is opened again into a black hole, comes back when that is over', async () => {
  await comesBack()
  connection.disconnect()
  await once(connection, 'end')
  proxy.blackHole()
  const before = proxy.swallowedBytes
  connection.connect().catch(() => {})
  await expect.poll(() => proxy.swallowedBytes, { timeout: 5_000 }).toBeGreaterThan(before)
  await proxy.heal()
  await comesBack()
})
