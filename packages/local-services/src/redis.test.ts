import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connect, disconnect } from '../../store/src/redis/connection.ts'
import { Durability } from '../../store/src/redis/durability.ts'
import { findRedisServer, startLocalRedis } from './redis.ts'

test('a local Redis is durable, and has its data after a restart', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-'))
  const server = await findRedisServer()
  const first = await startLocalRedis(server, { dir })
  const one = connect(
    { urls: [first.url], cluster: false, sentinels: [], sentinelName: '' },
    'patient',
  )
  expect(await new Durability(one, { shards: 1, replicasMin: 0 }).report()).toMatchObject({
    faults: [],
    assumed: [],
  })
  await one.set('key', 'value')
  await disconnect(one)
  first.process.kill('SIGKILL')
  await new Promise((resolve) => first.process.once('exit', resolve))
  const second = await startLocalRedis(server, { dir })
  const two = connect(
    { urls: [second.url], cluster: false, sentinels: [], sentinelName: '' },
    'patient',
  )
  expect(await two.get('key')).toBe('value')
  await disconnect(two)
  await second.stop()
  expect(second.process.exitCode).toBe(0)
  await rm(dir, { recursive: true })
})

test('a server that cannot start says why', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-'))
  const wrong = startLocalRedis(await findRedisServer(), { dir, args: ['--no-such-setting', 'x'] })
  await expect(wrong).rejects.toThrow('no-such-setting')
  await rm(dir, { recursive: true })
})
