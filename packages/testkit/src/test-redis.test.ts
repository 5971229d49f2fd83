import { connect, disconnect } from '@placeorder/store'
import { afterEach, expect, test, vi } from 'vitest'
import { testRedis } from './test-redis.ts'

afterEach(() => vi.unstubAllEnvs())

async function tell(url: string): Promise<string | null> {
  const connection = connect(
    { urls: [url], cluster: false, sentinels: [], sentinelName: '' },
    'patient',
  )
  await connection.set('testkit', 'heard')
  const heard = await connection.get('testkit')
  await disconnect(connection)
  return heard
}

test('a local server is real, and one nobody else uses', async () => {
  vi.stubEnv('TESTKIT_REDIS', 'local')
  const [one, two] = await Promise.all([testRedis(), testRedis()])
  expect(one.way).toBe('local')
  expect(one.url).not.toBe(two.url)
  expect(await tell(one.url)).toBe('heard')
  await Promise.all([one.close(), two.close()])
})

test('REDIS_URL is used where it is set, and left running', async () => {
  vi.stubEnv('TESTKIT_REDIS', 'local')
  const there = await testRedis()
  vi.stubEnv('TESTKIT_REDIS', '')
  vi.stubEnv('REDIS_URL', there.url)
  const same = await testRedis()
  expect(same).toMatchObject({ url: there.url, way: 'url' })
  await same.close()
  expect(await tell(there.url)).toBe('heard')
  await there.close()
})
