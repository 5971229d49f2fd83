import { connect, disconnect } from '@placeorder/store'
import { afterEach, expect, test, vi } from 'vitest'
import { testRedis } from './test-redis.ts'

afterEach(() => vi.unstubAllEnvs())

async function roundTrip(url: string): Promise<string | null> {
  const connection = connect(
    { urls: [url], cluster: false, sentinels: [], sentinelName: '' },
    'patient',
  )
  await connection.set('testkit', 'value')
  const value = await connection.get('testkit')
  await disconnect(connection)
  return value
}

test('a local server is real, and one nobody else uses', async () => {
  vi.stubEnv('TESTKIT_REDIS', 'local')
  const [one, two] = await Promise.all([testRedis(), testRedis()])
  expect(one.source).toBe('local')
  expect(one.url).not.toBe(two.url)
  expect(await roundTrip(one.url)).toBe('value')
  await Promise.all([one.close(), two.close()])
})

test('REDIS_URL is used where it is set, and left running', async () => {
  vi.stubEnv('TESTKIT_REDIS', 'local')
  const there = await testRedis()
  vi.stubEnv('TESTKIT_REDIS', '')
  vi.stubEnv('REDIS_URL', there.url)
  const same = await testRedis()
  expect(same).toMatchObject({ url: there.url, source: 'url' })
  await same.close()
  expect(await roundTrip(there.url)).toBe('value')
  await there.close()
})
