import { migrateSlot, startCluster } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

const cluster = await startCluster()
afterAll(() => cluster.close())

/**
 * The slot of a shard and that of all limits, with the answer to an order that waits too long for a
 * half moved slot.
 */
const SLOTS = [
  { key: '{s0}', keysAtOnce: 100, code: 'UNKNOWN_EXCEPTION' },
  { key: '{u}', keysAtOnce: 5, code: 'PAYMENT_IN_PROCESS' },
]

/** The last order is concluded this soon after the last move (ms). */
const CONCLUDED_MS_MAX = 10_000

test('every promise is kept while the slots of a shard and of limits move under load', async () => {
  const { ports, urls } = cluster
  const { wrong, answers, concludedAfterMs } = await runScenario({
    seed: 7,
    env: { REDIS_URL: urls.join(','), SHARDS: '2' },
    ordersPerSecond: 15,
    bursts: false,
    meanwhile: async (served, answered) => {
      await served(50)
      for (const { key, keysAtOnce, code } of SLOTS)
        for (const to of ports) {
          let met: Promise<void> | undefined
          // It stays half moved until an order has hit it.
          const between = () => (met ??= answered(code))
          await migrateSlot({ ports, key, to, keysAtOnce, between })
          await served(20)
        }
    },
  })
  expect(wrong).toEqual([])
  expect(concludedAfterMs).toBeLessThan(CONCLUDED_MS_MAX)
  expect(answers.get('SUCCESS')).toBeGreaterThan(100)
}, 180_000)
