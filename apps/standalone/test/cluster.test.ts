import { freePort } from '@placeorder/local-services/redis'
import { standaloneFolder, startCluster } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const cluster = await startCluster()
const folder = await standaloneFolder()
afterAll(async () => {
  await folder.close()
  await cluster.close()
})

test('all that is started goes to the Redis that REDIS_URL names, also when that is a Cluster', async () => {
  const standalone = folder.start({
    args: ['--once'],
    env: { REDIS_URL: cluster.urls.join(','), PORT: String(await freePort()) },
  })
  expect(await standalone.exited, standalone.lines.join('\n')).toBe(0)
  expect(standalone.lines.join('\n')).toContain('SUCCESS')
})
