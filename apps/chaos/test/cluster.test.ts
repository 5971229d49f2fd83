import { setTimeout as wait } from 'node:timers/promises'
import { migrateSlot, type RedisCluster, startCluster } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.close())

test('on a Cluster of three masters every promise holds, also when one of them is killed and comes back', async () => {
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

/** Between two batches of keys (ms), so that orders meet the slot half moved. */
const BATCH_MS = 5

test('while slots of shards and limits move under load every promise holds, and orders go on', async () => {
  const { ports } = cluster
  const { wrong, answers } = await runScenario({
    seed: 7,
    env: { REDIS_URL: cluster.urls.join(','), SHARDS: '6' },
    ordersPerSecond: 30,
    meanwhile: async (served) => {
      await served(50)
      for (const key of ['{s0}', '{u}']) {
        for (const to of ports.slice(0, 2)) // One of them at least is another master than it has.
          await migrateSlot({ ports, key, to, between: () => wait(BATCH_MS) })
        await served(50)
      }
      await served(100)
    },
  })
  expect(wrong).toEqual([])
  expect(answers.get('SUCCESS')).toBeGreaterThan(100)
}, 180_000)
