import { expect, test } from 'vitest'
import { mendRound } from './mend.ts'

test('rounds go on from where the one before has ended, and begin again after the last', async () => {
  const open = Array.from({ length: 12_000 }, (_, i) => `P-${i}`)
  const mended: number[] = []
  const deps = {
    store: {
      orders: {
        backlog: async () => ({ open: open.length, oldest: 0 }),
        open: async (_shard: number, _before: number, max: number, skip = 0) =>
          open.slice(skip, skip + max),
      },
      mending: {
        mendOpen: async (_shard: number, paymentIds: string[]) => {
          mended.push(paymentIds.length)
          return paymentIds
        },
      },
      usage: { forget: async () => {}, now: async () => '1000' },
      recent: { unlinkLarge: async () => {} },
    },
    shards: 1,
    onRound: async () => {},
    onFault: () => {},
  }
  const seen: number[] = []
  for (let round = 0; round < 4; round += 1) await mendRound(deps, seen)
  expect(mended).toEqual([5_000, 5_000, 2_000, 5_000])
})

test('what is forgotten goes by the clock of Redis after open orders were looked for, not by that of this machine', async () => {
  const forgotten: number[][] = []
  const redisNow = Date.now() - 3_600_000
  const times = [redisNow, redisNow + 70_000]
  await mendRound({
    store: {
      orders: { backlog: async () => ({ open: 0, oldest: undefined }), open: async () => [] },
      mending: { mendOpen: async () => [] },
      usage: {
        now: async () => String(times.shift()),
        forget: async (oldestOpen: number, now: number) => void forgotten.push([oldestOpen, now]),
      },
      recent: { unlinkLarge: async () => {} },
    },
    shards: 1,
    onRound: async () => {},
    onFault: () => {},
  })
  expect(forgotten).toEqual([[redisNow, redisNow + 70_000]])
})
