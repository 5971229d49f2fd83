import { migrateSlot, startCluster } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { runScenario } from './scenario.ts'

const cluster = await startCluster()
afterAll(() => cluster.close())

/** A shard's slot and that of all limits, with what an order is answered that its half moved slot keeps for too long. */
const SLOTS = [
  { key: '{s0}', keysAtOnce: 100, code: 'UNKNOWN_EXCEPTION' },
  { key: '{u}', keysAtOnce: 5, code: 'PAYMENT_IN_PROCESS' },
]

/** The last order is concluded this soon after the last move (ms). */
const CONCLUDED_MS_MAX = 10_000

test('every promise holds while the slots of a shard and of limits move under load', async () => {
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
          const between = () => (met ??= answered(code)) // It stays half moved until an order has met it.
          await migrateSlot({ ports, key, to, keysAtOnce, between })
          await served(20)
        }
    },
  })
  expect(wrong).toEqual([])
  expect(concludedAfterMs).toBeLessThan(CONCLUDED_MS_MAX)
  expect(answers.get('SUCCESS')).toBeGreaterThan(100)
}, 180_000)
