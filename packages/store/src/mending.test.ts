import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../test/test-store.ts'

const { worker, ingress, takeIn } = await openTestStore()
const queue = worker.queues.queue(0)
const jobOf = async (paymentId: string) => (await worker.orders.record(paymentId))?.jobId ?? ''

test('an open order whose job is there is left alone', async () => {
  const order = aPlaceOrder()
  await takeIn(order)
  const jobId = await jobOf(order.paymentId)
  expect(await worker.mending.mend(0, [{ paymentId: order.paymentId, jobId }])).toEqual([])
  expect(await jobOf(order.paymentId)).toBe(jobId)
})

test('an open order whose job is gone gets one of its own, and only one however many mend it', async () => {
  const order = aPlaceOrder()
  await takeIn(order)
  const jobId = await jobOf(order.paymentId)
  await queue.remove(jobId)
  const mended = await Promise.all(
    Array.from({ length: 10 }, () =>
      worker.mending.mend(0, [{ paymentId: order.paymentId, jobId }]),
    ),
  )
  expect(mended.flat()).toEqual([order.paymentId])
  const job = await queue.getJob(await jobOf(order.paymentId))
  expect(job?.data).toEqual({ paymentIds: [order.paymentId] })
})

test('a concluded order is not mended', async () => {
  const order = aPlaceOrder()
  await takeIn(order)
  const jobId = await jobOf(order.paymentId)
  await queue.remove(jobId)
  await worker.orders.conclude(order.paymentId, 'SUCCESS')
  expect(await worker.mending.mend(0, [{ paymentId: order.paymentId, jobId }])).toEqual([])
})

test('a postponed order leaves its group for a later job of its own, with its trace, and those who wait are told', async () => {
  const order = aPlaceOrder()
  await ingress.orders.during(order.paymentId, AbortSignal.timeout(5_000), async (announced) => {
    await takeIn(order)
    const jobId = await jobOf(order.paymentId)
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(
      await worker.mending.postpone(0, [{ paymentId: order.paymentId, jobId, trace }], 60_000),
    ).toEqual([order.paymentId])
    expect(await announced).toBe('UNKNOWN_EXCEPTION')
  })
  const job = await queue.getJob(await jobOf(order.paymentId))
  expect(await job?.getState()).toBe('delayed')
  expect(job?.data.traces).toEqual({
    [order.paymentId]: expect.stringContaining('0af7651916cd43dd'),
  })
})

test('mending open orders finds their jobs by itself', async () => {
  const [lost, held] = [aPlaceOrder(), aPlaceOrder()]
  await takeIn(lost)
  await takeIn(held)
  await queue.remove(await jobOf(lost.paymentId))
  expect(await worker.mending.mendOpen(0, [lost.paymentId, held.paymentId])).toEqual([
    lost.paymentId,
  ])
})
