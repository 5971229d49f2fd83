import { randomUUID } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test, vi } from 'vitest'
import { openTestStore, runningTwice } from '../../test/test-store.ts'
import { joinableJobKey, orderIdOf } from '../keys.ts'
import { type LookupIds, lookupIdsOf } from '../orders/lookup-ids.ts'
import { recallNothing } from '../outbox/archived-orders.ts'
import { GroupWorker } from '../queue/group-worker.ts'
import { Intake, type IntakeDeps } from './intake.ts'

const { address, ingress, worker, accept, connection } = await openTestStore({ own: true })
const inTime = () => AbortSignal.timeout(5_000)

test('a paymentId is one order, however many copies come at once', async () => {
  const order = aPlaceOrder()
  const taken = await Promise.all(Array.from({ length: 50 }, () => accept(order)))
  expect(new Set(taken.map(({ paymentRequestId }) => paymentRequestId)).size).toBe(1)
  expect(taken.filter(({ repeated }) => !repeated)).toHaveLength(1)
})

test.each([
  ['another payment amount', { paymentAmount: { value: '101', currency: 'CNY' } }],
  ['another settlement amount', { settlementAmount: { value: '101', currency: 'CNY' } }],
  ['a currency alone', { paymentAmount: { value: '100', currency: 'JPY' } }],
  ['a paymentRequestId', { paymentRequestId: 'R-9' }],
])('a repeat with %s is inconsistent, and the stored order is untouched', async (_name, change) => {
  const order = aPlaceOrder()
  await accept(order)
  const before = await worker.orders.record(orderIdOf(order))
  const repeat = { ...order, ...change }
  expect(await ingress.intake.accept({ order: repeat, clientId: 'C-1' }, inTime())).toEqual({
    kind: 'INCONSISTENT',
  })
  expect(await worker.orders.record(orderIdOf(order))).toEqual(before)
})

test('a repeat with another merchant, env or code is the same order', async () => {
  const order = aPlaceOrder()
  const first = await accept(order)
  const merchant = { ...order.merchant, merchantName: 'another' }
  const again = await accept({ ...order, merchant, env: {}, codeValue: 'another' })
  expect(again).toEqual({ ...first, repeated: true })
})

test('the request’s paymentRequestId becomes ours; without one we make one', async () => {
  const given = await accept(aPlaceOrder({ paymentRequestId: 'R-1' }))
  expect(given.paymentRequestId).toBe('R-1')
  const made = await accept(aPlaceOrder())
  expect(made.paymentRequestId).toMatch(/^[\w-]{8,64}$/)
})

test('a repeat of a concluded order gets the outcome and the same paymentRequestId', async () => {
  const order = aPlaceOrder()
  const { paymentRequestId } = await accept(order)
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  const again = await ingress.intake.accept({ order, clientId: 'C-1' }, inTime())
  expect(again).toEqual({ kind: 'CONCLUDED', outcome: 'SUCCESS', paymentRequestId })
})

test('orders that come together share jobs, and each is in one', async () => {
  const orders = Array.from({ length: 500 }, () => aPlaceOrder())
  await Promise.all(orders.map(accept))
  const jobs = await Promise.all(
    orders.map(async (order) => (await worker.orders.record(orderIdOf(order)))?.jobId ?? ''),
  )
  expect(new Set(jobs).size).toBeLessThan(50)
  const inJobs = await Promise.all(
    [...new Set(jobs)].map(
      async (jobId) => (await worker.queues.queue(0).getJob(jobId))?.data.orderIds ?? [],
    ),
  )
  expect(inJobs.flat().sort()).toEqual(orders.map(orderIdOf).sort())
})

/** An intake of its own, with what is given. */
const intakeWith = (deps: Partial<IntakeDeps>) =>
  new Intake({
    connection: ingress.connection,
    queues: worker.queues,
    filters: ingress.filters,
    recall: recallNothing,
    acquirers: { note: async () => {} },
    channels: [`{s0}:ingress:${randomUUID()}`],
    requeue: async () => {},
    lostMs: 50,
    onFault: () => {},
    onGroup: () => {},
    ...deps,
  })

test('orders that come while a group is being claimed form the next group', async () => {
  const groups: number[] = []
  const intake = intakeWith({ onGroup: (orders) => groups.push(orders) })
  const place = () => intake.accept({ order: aPlaceOrder(), clientId: 'C-1' }, inTime())
  const first = place()
  await setImmediate() // It has been sent.
  await Promise.all([first, ...Array.from({ length: 5 }, place)])
  expect(groups).toEqual([1, 5])
})

test('a group is sent at once, though the one before is undecided', async () => {
  const intake = intakeWith({})
  for (let n = 0; n < 5; n += 1) {
    const order = aPlaceOrder()
    await intake.accept({ order, clientId: 'C-1' }, inTime())
    expect(await worker.orders.outcomeOf(orderIdOf(order))).toBeUndefined()
  }
})

test('a worker never gets a job before its order, even after a script flush', async () => {
  const found = new Set<string>()
  const taker = new GroupWorker(
    address,
    async ({ shard, orderIds }) => {
      const records = await worker.orders.records(shard, orderIds)
      for (const [i, record] of records.entries())
        if (record !== undefined) found.add(orderIds[i] ?? '')
    },
    { shards: 1, concurrency: 8, onError: () => {} },
  )
  for (let i = 0; i < 20; i += 1) {
    const order = aPlaceOrder()
    await connection.script('FLUSH')
    await accept(order)
    await expect.poll(() => found.has(orderIdOf(order))).toBe(true)
  }
  await taker.close(1_000)
})

test('a job has its orders’ lookup ids, and for repeats those of the claimed one', async () => {
  const [named, nameless] = [aPlaceOrder({ customerId: 'C-1' }), aPlaceOrder()]
  const repeat = { ...named, codeValue: 'another' }
  delete nameless.customerId
  const received = new Map<string, LookupIds>()
  const taker = new GroupWorker(
    address,
    async ({ subjects = new Map() }) => {
      for (const [orderId, subject] of subjects) received.set(orderId, subject)
    },
    { shards: 1, concurrency: 1, onError: () => {} },
  )
  await Promise.all([named, repeat, nameless].map(accept))
  await expect.poll(() => received.get(orderIdOf(nameless))).toEqual(lookupIdsOf(nameless))
  expect(received.get(orderIdOf(named))).toEqual(lookupIdsOf(named))
  await taker.close(1_000)
})

test('an order whose wait ends before it is sent is not claimed', async () => {
  const order = aPlaceOrder()
  const signal = AbortSignal.abort(new Error('too late'))
  await expect(ingress.intake.accept({ order, clientId: 'C-1' }, signal)).rejects.toThrow(
    'too late',
  )
  expect(await worker.orders.record(orderIdOf(order))).toBeUndefined()
})

test('a claim that runs twice leaves its orders a job, even with a joinable one', async () => {
  const intake = intakeWith({ connection: runningTwice(ingress.connection) })
  for (let n = 0; n < 3; n += 1) {
    const order = aPlaceOrder()
    await connection.del(joinableJobKey(0))
    await intake.accept({ order, clientId: 'C-1' }, inTime())
    const { jobId = '' } = (await worker.orders.record(orderIdOf(order))) ?? {}
    expect(await worker.queues.job(0, jobId), `order ${n}`).toBeDefined()
  }
})

test('a repeat of an open order whose job is lost requeues the order', async () => {
  const order = aPlaceOrder()
  await accept(order)
  const { jobId = '' } = (await worker.orders.record(orderIdOf(order))) ?? {}
  await worker.queues.queue(0).remove(jobId)
  // As if it had been claimed long ago: a younger order's job may still be on its way.
  await connection.hset(`{s0}:order:${orderIdOf(order)}`, 'claimedAt', Date.now() - 60_000)
  await accept(order)
  await expect
    .poll(async () => (await worker.orders.record(orderIdOf(order)))?.jobId)
    .not.toBe(jobId)
  const now = (await worker.orders.record(orderIdOf(order)))?.jobId ?? ''
  await expect
    .poll(async () => (await worker.queues.queue(0).getJob(now))?.data.orderIds)
    .toEqual([orderIdOf(order)])
})

test('any text is a paymentId', async () => {
  for (const odd of [
    'with space',
    '{s7}:order:x',
    'newline\nquote"back\\slash',
    '漢字😀',
    ' ',
    '0',
  ]) {
    const order = aPlaceOrder({ paymentId: `${odd}${randomUUID().slice(0, 8)}` })
    const outcome = ingress.orders.during(orderIdOf(order), inTime(), async (announced) => {
      await accept(order)
      await worker.orders.conclude(orderIdOf(order), 'INVALID_CODE')
      return announced
    })
    expect(await outcome).toBe('INVALID_CODE')
  }
})

test('open orders are counted without claims, too, so that a jam is seen to end', async () => {
  const order = aPlaceOrder()
  await accept(order)
  expect(ingress.intake.openOrders).toBeGreaterThan(0)
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  await ingress.intake.countOpen()
  expect(ingress.intake.openOrders).toBe(await connection.zcard('{s0}:open'))
})

test.each([
  ['no more than Redis’s says', 0, false],
  ['what it shows, too, if it is ahead of Redis’s', 3_600_000, true],
  ['no more than Redis’s says if it is behind it', -3_600_000, false],
])('of the ingress’s clock a record says %s', async (_, aheadMs, isKept) => {
  const order = aPlaceOrder()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + aheadMs })
  try {
    await accept(order)
    const kept = await worker.orders.sentAt(0, [orderIdOf(order)])
    expect(kept.get(orderIdOf(order))).toBe(isKept ? Date.now() : 0)
  } finally {
    vi.useRealTimers()
  }
})
