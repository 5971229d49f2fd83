import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { FaultProxy, testRedis } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { findRedisServer, startLocalRedis } from '../../../local-services/src/redis.ts'
import { connect } from './connection.ts'

const redis = await testRedis()
const proxy = await FaultProxy.open({ port: Number(new URL(redis.url).port) })
const urls = [`redis://127.0.0.1:${proxy.port}`]
const address = { urls, cluster: false, sentinels: [], sentinelName: '' }
const connection = connect(address, 'patient')
const errors: string[] = []
connection.on('error', ({ message }: Error) => errors.push(message))
afterAll(async () => {
  connection.disconnect()
  await proxy.close()
  await redis.close()
})

const comesBack = () => expect.poll(() => connection.ping(), { timeout: 5_000 }).toBe('PONG')

test('a silent connection is opened again', async () => {
  await comesBack()
  proxy.halfOpen('server')
  await comesBack()
  expect(errors).toContain('Redis has not answered for 2500 ms')
})

test('a Redis that pauses for 1.5 s costs no connection', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-silence-'))
  const paused = await startLocalRedis(await findRedisServer(), { dir })
  const one = connect({ ...address, urls: [paused.url] }, 'patient')
  let closed = 0
  one.on('close', () => {
    closed += 1
  })
  await one.ping()
  paused.process.kill('SIGSTOP')
  await wait(1_500)
  paused.process.kill('SIGCONT')
  await one.ping()
  expect(closed).toBe(0)
  one.disconnect()
  await paused.stop()
  await rm(dir, { recursive: true, force: true })
})

test('our own pause does not count as silence of Redis', async () => {
  const one = connect({ ...address, urls: [redis.url], heartbeatMs: 500 }, 'patient')
  let closed = 0
  one.on('close', () => {
    closed += 1
  })
  await one.ping()
  for (let pause = 0; pause < 3; pause += 1) {
    const until = performance.now() + 800
    while (performance.now() < until);
    await one.ping()
  }
  expect(closed).toBe(0)
  one.disconnect()
}, 10_000)

// Chaos, seed 203.
test('a connection that is opened again into a black hole recovers after it', async () => {
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
