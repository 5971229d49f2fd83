import { freePort } from '@placeorder/store/local-redis'
import { startCluster, startProcess } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const cluster = await startCluster()
afterAll(() => cluster.close())

test('all that is started goes to the Redis that REDIS_URL names, also when that is a Cluster', async () => {
  const standalone = startProcess({
    name: 'standalone',
    entry: 'apps/standalone/src/main.ts',
    args: ['--once'],
    env: { REDIS_URL: cluster.urls.join(','), PORT: String(await freePort()) },
  })
  expect(await standalone.exited, standalone.lines.join('\n')).toBe(0)
  expect(standalone.lines.join('\n')).toContain('SUCCESS')
})
