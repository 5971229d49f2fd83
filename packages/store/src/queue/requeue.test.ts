import { aPlaceOrder } from '@placeorder/testkit'
import { beforeEach, expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { joinableJobKey, type OrderId, orderIdOf } from '../keys.ts'

const { worker, ingress, accept, connection } = await openTestStore({ own: true })
const queue = worker.queues.queue(0)
const jobOf = async (orderId: OrderId) => (await worker.orders.record(orderId))?.jobId ?? ''

/** The next order gets a job of its own. */
const closeJob = () => connection.del(joinableJobKey(0))
beforeEach(async () => void (await closeJob()))

test('an open order whose job exists is left alone', async () => {
  const order = aPlaceOrder()
  await accept(order)
  const jobId = await jobOf(orderIdOf(order))
  expect(await worker.requeue.requeueLost(0, [{ orderId: orderIdOf(order), jobId }])).toEqual([])
  expect(await jobOf(orderIdOf(order))).toBe(jobId)
})

test('an open order whose job is lost is requeued once, however many do it at once', async () => {
  const order = aPlaceOrder()
  await accept(order)
  const jobId = await jobOf(orderIdOf(order))
  await queue.remove(jobId)
  const requeued = await Promise.all(
    Array.from({ length: 10 }, () =>
      worker.requeue.requeueLost(0, [{ orderId: orderIdOf(order), jobId }]),
    ),
  )
  expect(requeued.flat()).toEqual([orderIdOf(order)])
  const job = await queue.getJob(await jobOf(orderIdOf(order)))
  expect(job?.data).toEqual({ v: 1, orderIds: [orderIdOf(order)] })
})

test('a concluded order is not requeued', async () => {
  const order = aPlaceOrder()
  await accept(order)
  const jobId = await jobOf(orderIdOf(order))
  await queue.remove(jobId)
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  expect(await worker.requeue.requeueLost(0, [{ orderId: orderIdOf(order), jobId }])).toEqual([])
})

test('a postponed order moves to a later job, and those who wait are notified', async () => {
  const order = aPlaceOrder()
  await ingress.orders.during(orderIdOf(order), AbortSignal.timeout(5_000), async (announced) => {
    await accept(order)
    const jobId = await jobOf(orderIdOf(order))
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(
      await worker.requeue.postpone(0, [{ orderId: orderIdOf(order), jobId, trace }], 60_000),
    ).toEqual([orderIdOf(order)])
    expect(await announced).toBe('UNKNOWN_EXCEPTION')
  })
  const job = await queue.getJob(await jobOf(orderIdOf(order)))
  expect(await job?.getState()).toBe('delayed')
  expect(job?.data.traces).toEqual({
    [orderIdOf(order)]: expect.stringContaining('0af7651916cd43dd'),
  })
})

test('requeueOpen finds the jobs of orders by itself', async () => {
  const [lost, held] = [aPlaceOrder(), aPlaceOrder()]
  await accept(lost)
  await closeJob()
  await accept(held)
  await queue.remove(await jobOf(orderIdOf(lost)))
  expect(await worker.requeue.requeueOpen(0, [orderIdOf(lost), orderIdOf(held)])).toEqual([
    orderIdOf(lost),
  ])
})
