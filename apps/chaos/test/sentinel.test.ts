import { type SentinelPair, startSentinelPair } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

let pair: SentinelPair
beforeAll(async () => {
  pair = await startSentinelPair()
})
afterAll(() => pair.close())

test('a failover by Sentinel under load changes no answer, and orders go on', async () => {
  const { wrong, answers } = await runScenario({
    seed: 5,
    env: {
      REDIS_SENTINELS: pair.sentinel,
      REDIS_SENTINEL_NAME: pair.name,
      SHARDS: '2',
      REPLICAS_MIN: '1',
    },
    ordersPerSecond: 60,
    meanwhile: async (served) => {
      await served(100)
      await pair.failOver()
      await pair.bringBack()
      await served(150)
    },
  })
  expect(wrong).toEqual([])
  expect(answers.get('SUCCESS')).toBeGreaterThan(100)
}, 180_000)
