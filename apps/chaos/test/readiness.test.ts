import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { connect, disconnect, type RedisConnection } from '@placeorder/store'
import { openSystem, type RunningApp, type System } from '@placeorder/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

const Readiness = z.object({ reasons: z.record(z.string(), z.string()) })
const closing: (() => Promise<unknown>)[] = []
const closeAll = async () => {
  for (const close of closing.splice(0).reverse()) await close()
}

/** A system on a durable Redis with these additional settings. */
async function systemWith(...settings: string[]): Promise<System> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-readiness-'))
  closing.push(() => rm(dir, { recursive: true, force: true }))
  const redis = await startLocalRedis(await findRedisServer(), { dir, args: settings })
  closing.push(() => redis.stop())
  const system = await openSystem({ redisUrl: redis.url })
  closing.push(() => system.close())
  return system
}

/** The status of /readyz if a process is ready, else the reason. */
async function readinessOf({ admin }: RunningApp): Promise<number | string> {
  const response = await fetch(`${admin}/readyz`)
  const { reasons } = Readiness.parse(await response.json())
  return response.ok ? response.status : (reasons.redis ?? '')
}

describe('on a Redis whose settings change', () => {
  let strict: RunningApp[]
  let relaxed: RunningApp
  let connection: RedisConnection

  beforeAll(async () => {
    const system = await systemWith()
    strict = await Promise.all([system.startIngress(), system.startWorker()])
    relaxed = await system.startIngress({ DURABILITY: 'relaxed' })
    connection = connect(system.address, 'patient')
    closing.push(() => disconnect(connection))
  })
  afterAll(closeAll)

  test.each([
    ['appendonly', 'no', 'yes'],
    ['appendfsync', 'everysec', 'always'],
    ['maxmemory-policy', 'allkeys-lru', 'noeviction'],
  ])(
    'with %s %s no process is ready, /readyz says to set %s, and it is ready once set',
    async (name, bad, good) => {
      await connection.call('CONFIG', 'SET', name, bad)
      for (const reason of await Promise.all(strict.map(readinessOf)))
        expect(reason).toContain(`set ${name} ${good}`)
      expect(await readinessOf(relaxed)).toBe(200) // DURABILITY=relaxed accepts any.
      await connection.call('CONFIG', 'SET', name, good)
      expect(await Promise.all(strict.map(readinessOf))).toEqual([200, 200])
    },
  )
})

describe('on a Redis that hides its configuration', () => {
  afterEach(closeAll)

  test('a process is ready, and logs what it assumes', async () => {
    const system = await systemWith('--rename-command', 'CONFIG', '')
    const ingress = await system.startIngress()
    expect(await readinessOf(ingress)).toBe(200)
    expect(await ingress.waitFor(/durability/)).toContain('appendfsync is always')
  })
})
