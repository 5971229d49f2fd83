import type { PlaceOrderRequest } from '@placeorder/protocol'
import { aPlaceOrder } from '@placeorder/testkit'
import { beforeEach, expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { TooLate } from '../decide/limit-usage.ts'
import { joinableJobKey, joinedKey, orderIdOf } from '../keys.ts'
import { type RoundEnd, workInRounds } from './job-rounds.ts'

const { worker, accept, connection } = await openTestStore({ own: true })
const { usage, orders, conclusion } = worker
const jobOf = async (order: PlaceOrderRequest) =>
  (await orders.record(orderIdOf(order)))?.jobId ?? ''

/** Concludes an order of a job, in the step that ends its round. */
async function conclude(jobId: string, order: PlaceOrderRequest, end?: RoundEnd, agoMs = 0) {
  const orderId = orderIdOf(order)
  const claimedAt = (await orders.claimedAt(orderId)) ?? 0
  const openAsOf = await usage.now()
  const judged = {
    ...{ orderId, claimedAt, judged: 'SUCCESS' as const, limitUses: [] },
    orderCode: undefined,
  }
  const then = { ...openAsOf, steady: openAsOf.steady - agoMs }
  return conclusion.conclude({ shard: 0, jobId }, [judged], then, end)
}

let own: PlaceOrderRequest
let jobId: string
beforeEach(async () => {
  await connection.del(joinableJobKey(0))
  own = aPlaceOrder()
  await accept(own)
  jobId = await jobOf(own)
  await join(aPlaceOrder()) // Its claim notices that there is a job to join.
})

/** Accepts an order while the job can be joined. */
async function join(order: PlaceOrderRequest): Promise<void> {
  await connection.set(joinableJobKey(0), jobId)
  await accept(order)
}
const onList = () => connection.llen(joinedKey(0, jobId))

type Joined = (round: number, end: RoundEnd | undefined) => Promise<unknown>

/** Runs the job: `during` is its own round. */
const work = (during: (end: RoundEnd) => Promise<unknown>, joined: Joined, roundMs = 20_000) => {
  let rounds = 0
  return workInRounds({
    ...{ connection, shard: 0, jobId, roundMs, onUnreadable: () => {}, open: () => true },
    own: async (end) => void (await during(end)),
    joined: async (_, end) => {
      rounds += 1
      await joined(rounds, end)
    },
  })
}

test('what was concluded is off the list in the same step, and the rest is next', async () => {
  const [one, two] = [aPlaceOrder(), aPlaceOrder()]
  const seen: number[] = []
  await work(
    async (end) => {
      await join(one)
      await conclude(jobId, own, end)
    },
    async (round, end) => {
      if (round === 1) await join(two)
      seen.push(await onList())
      await conclude(jobId, round === 1 ? one : two, end)
      seen.push(await onList())
    },
  )
  expect(seen).toEqual([2, 1, 1, 0])
  expect(await orders.outcomeOf(orderIdOf(two))).toBe('SUCCESS')
  expect(await connection.exists(joinableJobKey(0), joinedKey(0, jobId))).toBe(0)
})

test('nothing leaves the list when it was too late to conclude', async () => {
  const one = aPlaceOrder()
  const working = work(
    async (end) => {
      await join(one)
      await conclude(jobId, own, end)
    },
    (_, end) => conclude(jobId, one, end, 120_000),
  )
  await expect(working).rejects.toThrow(TooLate)
  expect(await onList()).toBe(1)
  expect(await orders.outcomeOf(orderIdOf(one))).toBeUndefined()
})

test('a job that has gone on without a slow round cannot be joined after it', async () => {
  const one = aPlaceOrder()
  const joinedAt = Promise.withResolvers<void>()
  let late: RoundEnd | undefined
  await work(
    async (end) => {
      late = end
      await join(one)
      await joinedAt.promise
      await conclude(jobId, own, end)
    },
    async () => {
      await conclude(jobId, one)
      joinedAt.resolve()
    },
    50,
  )
  expect(late?.args).toBeUndefined()
  expect(late?.drained).toBeUndefined()
  expect(await connection.exists(joinableJobKey(0), joinedKey(0, jobId))).toBe(0)
})
