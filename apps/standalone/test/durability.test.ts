import { findRedisServer, freePort, startLocalRedis } from '@placeorder/local-services/redis'
import { standaloneFolder } from '@placeorder/testkit'
import { expect, test } from 'vitest'

test('npm start refuses a Redis that is not durable, unless DURABILITY=relaxed', async () => {
  const folder = await standaloneFolder()
  const args = ['--appendonly', 'no']
  const redis = await startLocalRedis(await findRedisServer(), { dir: folder.dir, args })
  try {
    const env = { REDIS_URL: redis.url, PORT: String(await freePort()) }
    const refused = folder.start({ env })
    expect(await refused.exited).toBe(1)
    const output = refused.lines.join('\n')
    expect(output).toMatch(/REDIS_URL: .*append-only file is off: set appendonly yes/)
    expect(output).toMatch(/DURABILITY=relaxed npm start/)
    await folder.start({ env: { ...env, DURABILITY: 'relaxed' } }).waitFor(/imported/)
  } finally {
    await folder.close()
    await redis.stop()
  }
}, 120_000)
