import type { FinalCode, PlaceOrderRequest } from '@placeorder/protocol'
import { orderIdOf } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestWorker } from '../../test/worker-store.ts'
import { processGroup } from '../process-group.ts'

const { store, deps, groupOf } = await openTestWorker()

/**
 * A group of two orders whose job has stalled this often; records which of them were judged where.
 */
async function stalledGroup(stalled: number, isolated = false) {
  const [deadly, good] = [aPlaceOrder(), aPlaceOrder()]
  const group = { ...(await groupOf(deadly, good)), stalled, ...(isolated ? { isolated } : {}) }
  const [here, elsewhere]: [string[], string[]] = [[], []]
  const run = async ({ order }: { order: PlaceOrderRequest }): Promise<FinalCode> => {
    here.push(order.paymentId)
    return 'SUCCESS'
  }
  const rulebook = {
    ...deps.rulebook(),
    checks: [{ name: 'own', after: 'merchant' as const, run }],
  }
  const judgeIsolated = async ({ order }: { order: PlaceOrderRequest }): Promise<FinalCode> => {
    elsewhere.push(orderIdOf(order))
    if (order.paymentId === deadly.paymentId) throw new Error('the process died of it')
    return 'SUCCESS'
  }
  const ids = [deadly, good].map(orderIdOf)
  const process = (decideWithinMs = deps.decideWithinMs) =>
    processGroup(group, { ...deps, rulebook: () => rulebook, judgeIsolated, decideWithinMs })
  const outcomes = () => Promise.all(ids.map((id) => store.orders.outcomeOf(id)))
  return { ids, here, elsewhere, process, outcomes }
}

test.each([
  ['no worker', 0],
  ['one worker', 1],
])('a group of whose job %s died is judged by its worker', async (_who, stalled) => {
  const { ids, here, elsewhere, process, outcomes } = await stalledGroup(stalled)
  await process()
  expect([here.length, elsewhere.length]).toEqual([2, 0])
  expect(await outcomes(), ids.join()).toEqual(['SUCCESS', 'SUCCESS'])
})

test.each([
  ['with whose job two workers died', 2, false],
  ['that was resumed as deadly', 0, true],
])('a group %s is judged elsewhere, each order by itself', async (_what, stalled, isolated) => {
  const { ids, here, elsewhere, process, outcomes } = await stalledGroup(stalled, isolated)
  await process()
  expect([here, elsewhere]).toEqual([[], ids])
  expect(await outcomes()).toEqual([undefined, 'SUCCESS'])
  const [jobId] = await store.orders.jobsOf(0, ids)
  expect(jobId).toBe('deferred:isolated')
})

test.each([
  ['with whose job three workers died', 3, false],
  ['that was resumed as deadly, and one more worker died', 1, true],
])('a group %s is deferred unjudged', async (_what, stalled, isolated) => {
  const { ids, here, elsewhere, process, outcomes } = await stalledGroup(stalled, isolated)
  await process()
  expect([here, elsewhere]).toEqual([[], []])
  expect(await outcomes()).toEqual([undefined, undefined])
  expect(new Set(await store.orders.jobsOf(0, ids))).toEqual(new Set(['deferred:isolated']))
})

test.each([
  ['two', 2],
  ['three', 3],
])('when %s workers died, overdue orders end unjudged', async (_who, stalled) => {
  const { here, elsewhere, process, outcomes } = await stalledGroup(stalled)
  await process(-2_000)
  expect([here, elsewhere]).toEqual([[], []])
  expect(await outcomes()).toEqual(['PROCESS_FAIL', 'PROCESS_FAIL'])
})
