import { type RedisCluster, startCluster } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.close())

test('a Cluster of three masters keeps every promise when one is killed and returns', async () => {
  const { wrong, answers } = await runScenario({
    seed: 3,
    env: { REDIS_URL: cluster.urls.join(','), SHARDS: '6' },
    ordersPerSecond: 60,
    meanwhile: async (served) => {
      await served(100)
      await cluster.kill(1)
      await cluster.restart(1)
      await served(150)
    },
  })
  expect(wrong).toEqual([])
  expect(answers.get('SUCCESS')).toBeGreaterThan(100)
}, 180_000)
