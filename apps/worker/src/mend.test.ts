import { expect, test } from 'vitest'
import { type MendDeps, mendRound } from './mend.ts'

const depsOf = (store: Partial<MendDeps['store']>): MendDeps => ({
  store: {
    orders: { backlog: async () => ({ open: 0, oldest: undefined }) },
    openWalk: { next: async () => ({ paymentIds: [], more: false }) },
    mending: { mendOpen: async () => [] },
    usage: { forget: async () => {}, now: async () => '1000' },
    recent: { unlinkLarge: async () => {} },
    ...store,
  },
  shards: 1,
  onRound: async () => {},
  onFault: () => {},
})

test.each([
  ['all pages there are', 3, 3],
  ['ten pages at most', 40, 10],
])('a round looks at %s', async (_, pages, looked) => {
  const mended: string[] = []
  const deps = depsOf({
    openWalk: {
      next: async () => {
        pages -= 1
        return { paymentIds: [`P-${pages}`], more: pages > 0 }
      },
    },
    mending: { mendOpen: async (_shard, paymentIds) => paymentIds },
  })
  await mendRound({ ...deps, onRound: async (all) => void mended.push(...all) })
  expect(mended).toHaveLength(looked)
})

test('what is forgotten goes by the clock of Redis after open orders were looked for, not by that of this machine', async () => {
  const forgotten: number[][] = []
  const redisNow = Date.now() - 3_600_000
  const times = [redisNow, redisNow + 70_000]
  await mendRound(
    depsOf({
      usage: {
        now: async () => String(times.shift()),
        forget: async (oldestOpen: number, now: number) => void forgotten.push([oldestOpen, now]),
      },
    }),
  )
  expect(forgotten).toEqual([[redisNow, redisNow + 70_000]])
})
