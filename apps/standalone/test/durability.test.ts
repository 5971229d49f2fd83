import { join } from 'node:path'
import { findRedisServer, freePort, startLocalRedis } from '@placeorder/local-services/redis'
import { connect, disconnect } from '@placeorder/store'
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

test('npm start names the folder of a Redis that an older version has filled', async () => {
  const folder = await standaloneFolder()
  const dir = join(folder.dir, 'redis')
  const redis = await startLocalRedis(await findRedisServer(), { dir })
  const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
  const connection = connect(address, 'patient')
  await connection.set('placeorder:shards', '{"layout":2,"shards":1}')
  await disconnect(connection)
  await redis.stop()
  try {
    const refused = folder.start({ env: { PORT: String(await freePort()) } })
    expect(await refused.exited).toBe(1)
    const output = refused.lines.join('\n')
    expect(output).toContain('holds orders of an older version of placeorder')
    expect(output).toContain(`it is in ${dir}: to begin anew, without its orders, move ${dir} and `)
  } finally {
    await folder.close()
  }
}, 120_000)
