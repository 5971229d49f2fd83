import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { orderIdOf } from '../keys.ts'
import { openIngressStore } from '../open-ingress-store.ts'
import { openOperatorStore } from '../open-store.ts'

const { address, ingress, worker, accept, connection } = await openTestStore()

test('the first outcome stands', async () => {
  const order = aPlaceOrder()
  await accept(order)
  expect(await worker.orders.conclude(orderIdOf(order), 'RISK_REJECT')).toBe('RISK_REJECT')
  expect(await worker.orders.conclude(orderIdOf(order), 'SUCCESS')).toBe('RISK_REJECT')
  expect(await ingress.orders.outcomeOf(orderIdOf(order))).toBe('RISK_REJECT')
})

test('an order that was never claimed cannot be concluded, and leaves no trace', async () => {
  const orderId = orderIdOf(aPlaceOrder())
  expect(await worker.orders.conclude(orderId, 'SUCCESS')).toBeUndefined()
  expect(await worker.orders.record(orderId)).toBeUndefined()
  expect(await connection.exists(`{s0}:order:${orderId}`)).toBe(0)
})

test('a record keeps the request, the client, and the times of claim and conclusion', async () => {
  const order = aPlaceOrder({ passThroughInfo: '{"note":"ünïcode 漢字"}' })
  const before = Date.now()
  const taken = await accept(order)
  expect(await worker.orders.record(orderIdOf(order))).toMatchObject({
    order,
    clientId: 'C-1',
    outcome: undefined,
  })
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  const record = await worker.orders.record(orderIdOf(order))
  expect(record).toMatchObject({
    order,
    outcome: 'SUCCESS',
    paymentRequestId: taken.paymentRequestId,
  })
  expect(record?.claimedAt).toBeGreaterThanOrEqual(before - 1_000) // Redis's clock, not ours.
  expect(record?.concludedAt).toBeGreaterThanOrEqual(record?.claimedAt ?? Number.POSITIVE_INFINITY)
})

test('a record in which an older version left fields out is read all the same', async () => {
  const order = aPlaceOrder()
  await accept(order)
  await connection.hdel(`{s0}:order:${orderIdOf(order)}`, 'client', 'job', 'claimedAt')
  expect(await worker.orders.record(orderIdOf(order))).toMatchObject({
    order,
    clientId: '',
    jobId: undefined,
  })
})

test('an unreadable record is an Error in its place and does not fail the others', async () => {
  const [good, bad] = [aPlaceOrder(), aPlaceOrder()]
  await accept(good)
  await accept(bad)
  await connection.hset(`{s0}:order:${orderIdOf(bad)}`, 'request', 'garbage')
  const records = await worker.orders.records(0, [orderIdOf(bad), orderIdOf(good)])
  expect(records[0]).toBeInstanceOf(Error)
  expect(records[1]).toMatchObject({ order: good })
})

test('an outcome is announced to every ingress that waits', async () => {
  const order = aPlaceOrder()
  const other = await openIngressStore({ address, shards: 1, onFault: () => {}, waitMs: 5_000 })
  const signal = AbortSignal.timeout(5_000)
  const waiting = [ingress, other].map(({ intake, orders }) => {
    const accepted = Promise.withResolvers<unknown>()
    const outcome = orders.during(orderIdOf(order), signal, async (announced) => {
      accepted.resolve(await intake.accept({ order, clientId: 'C-1' }, signal))
      return announced
    })
    return { accepted: accepted.promise, outcome }
  })
  await Promise.all(waiting.map(({ accepted }) => accepted))
  await worker.orders.conclude(orderIdOf(order), 'EXPIRED_CODE')
  const outcomes = await Promise.all(waiting.map(({ outcome }) => outcome))
  expect(outcomes).toEqual(['EXPIRED_CODE', 'EXPIRED_CODE'])
  await other.close()
})

test('reading orders’ jobs skips damaged records, and rejects in an outage', async () => {
  const [good, bad] = [aPlaceOrder(), aPlaceOrder()]
  await accept(good)
  await connection.set(`{s0}:order:${orderIdOf(bad)}`, 'damaged')
  const orderIds = [orderIdOf(good), orderIdOf(bad)]
  expect(await worker.orders.jobsOf(0, orderIds)).toEqual([expect.stringMatching(/^g-/), undefined])
  const closed = await openOperatorStore({ address, shards: 1, onFault: () => {} })
  await closed.close()
  await expect(closed.orders.jobsOf(0, orderIds)).rejects.toThrow()
})

test('a concluded order is not open any more', async () => {
  const order = aPlaceOrder()
  await accept(order)
  expect(await connection.zscore('{s0}:open', orderIdOf(order))).not.toBeNull()
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  expect(await connection.zscore('{s0}:open', orderIdOf(order))).toBeNull()
  expect(await connection.hexists(`{s0}:order:${orderIdOf(order)}`, 'waiting')).toBe(0)
})

test('waiting leaves no listener behind, whether it succeeds, is late or fails', async () => {
  const orderId = orderIdOf(aPlaceOrder())
  const late = new AbortController()
  const signal = late.signal
  await ingress.orders.during(orderId, signal, async () => 'done without listening')
  const waited = ingress.orders.during(orderId, signal, (announced) => announced)
  late.abort(new Error('too late'))
  await expect(waited).rejects.toThrow('too late')
  await expect(
    ingress.orders.during(orderId, signal, () => Promise.reject(new Error('broken'))),
  ).rejects.toThrow('broken')
  expect(ingress.listening()).toBe(0)
})

test('an order is moved only from the job it names, and those who wait are notified', async () => {
  const order = aPlaceOrder()
  await ingress.orders.during(orderIdOf(order), AbortSignal.timeout(5_000), async (announced) => {
    await accept(order)
    const { jobId = '' } = (await worker.orders.record(orderIdOf(order))) ?? {}
    const over = { orderId: orderIdOf(order), from: jobId, to: 'r-next' }
    expect(
      await worker.orders.reassign(0, [{ ...over, from: 'g-another' }], 'UNKNOWN_EXCEPTION'),
    ).toEqual([])
    expect(await worker.orders.reassign(0, [over], 'UNKNOWN_EXCEPTION')).toEqual([over])
    expect(await announced).toBe('UNKNOWN_EXCEPTION')
    // As when its answer was lost, and it is sent again.
    expect(await worker.orders.reassign(0, [over])).toEqual([over])
    expect(await worker.orders.reassign(0, [{ ...over, to: 'r-late' }])).toEqual([])
  })
  expect(await worker.orders.record(orderIdOf(order))).toMatchObject({
    jobId: 'r-next',
    outcome: undefined,
  })
})
