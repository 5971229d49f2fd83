import { orderIdOf } from '@placeorder/store'
import { expect, test } from 'vitest'
import { type RequeueDeps, requeueRound } from './requeue.ts'

const depsOf = (store: Partial<RequeueDeps['store']>): RequeueDeps => ({
  store: {
    orders: { backlog: async () => ({ open: 0, oldest: undefined }) },
    openWalk: { next: async () => ({ orderIds: [], more: false }) },
    requeue: { requeueOpen: async () => [] },
    usage: { forget: async () => ({ now: 1_000, steady: 1_000 }) },
    queues: { promoteLate: async () => {} },
    recent: { unlinkLarge: async () => {} },
    expiries: { shorten: async () => 0 },
    ...store,
  },
  clocks: { check: (read) => read() },
  shards: 1,
  onRound: async () => {},
  onLateExpiries: () => {},
  passed: async () => {},
  onFault: () => {},
})

test.each([
  ['all pages there are', 3, 3],
  ['ten pages at most', 40, 10],
])('a round reads %s', async (_, pages, looked) => {
  const requeued: string[] = []
  const deps = depsOf({
    openWalk: {
      next: async () => {
        pages -= 1
        return {
          orderIds: [orderIdOf({ acquirerId: 'A', paymentId: `P-${pages}` })],
          more: pages > 0,
        }
      },
    },
    requeue: { requeueOpen: async (_shard, orderIds) => orderIds },
  })
  await requeueRound({ ...deps, onRound: async (all) => void requeued.push(...all) })
  expect(requeued).toHaveLength(looked)
})

test.each([
  ['the oldest open order of all shards', [7_000, 3_000, undefined], 3_000],
  ['no order, where none is open', [undefined, undefined, undefined], undefined],
])('forgetting goes by %s', async (_, oldest, oldestOpen) => {
  const forgotten: (number | undefined)[] = []
  const deps = depsOf({
    orders: { backlog: async (shard) => ({ open: 0, oldest: oldest[shard] }) },
    usage: {
      forget: async (oldestOpen) => {
        forgotten.push(oldestOpen)
        return { now: 1_000, steady: 1_000 }
      },
    },
  })
  await requeueRound({ ...deps, shards: 3 })
  expect(forgotten).toEqual([oldestOpen])
})

test('expiries that a wrong clock made too long are reported once a round', async () => {
  const reported: number[] = []
  const left = [2, 0, 3, 0, 0, 0]
  const deps = {
    ...depsOf({ expiries: { shorten: async () => left.shift() ?? 0 } }),
    shards: 3,
    onLateExpiries: (keys: number) => void reported.push(keys),
  }
  await requeueRound(deps)
  await requeueRound(deps)
  expect(reported).toEqual([5])
})
