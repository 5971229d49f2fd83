import { freePort } from '@placeorder/local-services/redis'
import { standaloneFolder, startCluster } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const cluster = await startCluster()
const folder = await standaloneFolder()
afterAll(async () => {
  await folder.close()
  await cluster.close()
})

test('npm start uses the Redis in REDIS_URL, also if it is a Cluster', async () => {
  const standalone = folder.start({
    args: ['--once'],
    env: { REDIS_URL: cluster.urls.join(','), PORT: String(await freePort()) },
  })
  expect(await standalone.exited, standalone.lines.join('\n')).toBe(0)
  expect(standalone.lines.join('\n')).toContain('SUCCESS')
})
