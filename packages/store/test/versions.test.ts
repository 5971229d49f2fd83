import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { aPlaceOrder } from '@placeorder/testkit'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Conclusion } from '../src/decide/conclusion.ts'
import { type JudgedOrder, minuteOf } from '../src/decide/limit-usage.ts'
import {
  decidedKey,
  jobKey,
  joinableJobKey,
  joinedKey,
  type OrderNames,
  orderIdOf,
  orderKey,
} from '../src/keys.ts'
import { Announcements } from '../src/orders/announcements.ts'
import { GroupWorker } from '../src/queue/group-worker.ts'
import { JobData, workInRounds } from '../src/queue/job-rounds.ts'
import { Requeue } from '../src/queue/requeue.ts'
import { openTestStore } from './test-store.ts'

const { address, worker, ingress, accept, connection } = await openTestStore({ own: true })
const { orders, usage } = worker

/** What this version has written, byte for byte: versions to come have to read it. */
const written = (name: string) =>
  readFileSync(join(import.meta.dirname, `./fixtures/v1/${name}.json`), 'utf8').trim()
const Record = z.object({ key: z.string(), hash: z.record(z.string(), z.string()) })
const record = Record.parse(JSON.parse(written('record')))
const order = aPlaceOrder({ paymentId: '20101234567890132' })

const judged = (names: OrderNames, judged: JudgedOrder['judged'] = 'SUCCESS'): JudgedOrder => ({
  orderId: orderIdOf(names),
  claimedAt: Date.now(),
  judged,
  limitUses: [],
  orderCode: undefined,
})
/** With the claim time of its record, without which no order is concluded. */
const judgedAsClaimed = async (names: OrderNames): Promise<JudgedOrder> => {
  const { claimedAt = 0 } = (await orders.record(orderIdOf(names))) ?? {}
  return { ...judged(names), claimedAt }
}
const inTime = () => AbortSignal.timeout(5_000)
const decided = ({ claimedAt }: JudgedOrder) => decidedKey(minuteOf(claimedAt))

test('a record of this version is read, and a repeat of it answered', async () => {
  await connection.hset(record.key, record.hash)
  expect(await orders.record(orderIdOf(order))).toEqual({
    order,
    clientId: 'C-1',
    paymentRequestId: 'R-1',
    claimedAt: 1_790_000_000_000,
    jobId: undefined,
    outcome: 'RISK_REJECT',
    concludedAt: 1_790_000_000_100,
  })
  expect(await ingress.intake.accept({ order, clientId: 'C-1' }, inTime())).toEqual({
    kind: 'CONCLUDED',
    paymentRequestId: 'R-1',
    outcome: 'RISK_REJECT',
  })
})

const info = '{"coupon":"漢字 A-1"}'

test('a record with what is passed through is read, and a repeat of it answered', async () => {
  const { key, hash } = Record.parse(JSON.parse(written('record-with-info')))
  await connection.hset(key, hash)
  const other = { ...order, paymentId: '20101234567890133' }
  expect(await orders.record(orderIdOf(other))).toMatchObject({
    outcome: 'SUCCESS',
    passThroughInfo: info,
  })
  expect(await ingress.intake.accept({ order: other, clientId: 'C-1' }, inTime())).toMatchObject({
    kind: 'CONCLUDED',
    outcome: `SUCCESS ${info}`,
  })
})

test('a record of this version is written as it is kept', async () => {
  const other = { ...order, paymentId: crypto.randomUUID(), paymentRequestId: 'R-1' }
  await accept(other)
  await orders.conclude(orderIdOf(other), 'RISK_REJECT')
  const { claimedAt, concludedAt, terms, request, ...rest } = await connection.hgetall(
    orderKey(0, orderIdOf(other)),
  )
  const { client, paymentRequestId, outcome } = record.hash
  expect(rest).toEqual({ client, paymentRequestId, outcome })
  expect(terms).toBe(`${record.hash.terms}R-1`)
  expect(request).toBe(record.hash.request?.replace(/\]$/, ',0,"R-1"]'))
  expect([claimedAt, concludedAt]).toEqual([expect.any(String), expect.any(String)])
})

test('a job of this version is read and written as it is kept', async () => {
  const data = JobData.parse(JSON.parse(written('job')))
  const { v: _, ...group } = data
  await worker.queues.enqueue(0, 'g-kept', group, 60_000)
  expect(await connection.hget(jobKey(0, 'g-kept'), 'data')).toBe(written('job'))
})

test.each([
  ['message', 'RISK_REJECT'],
  ['message-with-info', `SUCCESS ${info}`],
] as const)(
  'a %s of this version is received, and sent in the stored form',
  async (name, outcome) => {
    const other = aPlaceOrder()
    const received = Promise.withResolvers<string>()
    const subscriber = (connection as Redis).duplicate()
    await subscriber.ssubscribe('{s0}:ingress:kept')
    subscriber.on('smessage', (_, message) => received.resolve(message))
    await accept(other)
    await connection.hset(orderKey(0, orderIdOf(other)), 'waiting', '{s0}:ingress:kept')
    await orders.conclude(orderIdOf(other), outcome)
    const kept = written(name).replace(orderIdOf(order), orderIdOf(other))
    const message = await received.promise
    expect(message.replace(/"\d{13}"/, '"1790000000100"')).toBe(kept)
    subscriber.disconnect()
  },
)

test('a decision with what is passed through stands, and is written as it is kept', async () => {
  const other = { ...judged(aPlaceOrder()), passThroughInfo: info }
  const decide = async (order: JudgedOrder) => usage.decide([order], await usage.now())
  expect(await decide(other)).toEqual([`SUCCESS ${info}`])
  const kept = await connection.hget(decided(other), other.orderId)
  expect(JSON.stringify(kept)).toBe(written('decision-with-info'))
  for (const passThroughInfo of [undefined, 'another'])
    expect(await decide({ ...other, passThroughInfo })).toEqual([`SUCCESS ${info}`])
})

test('a decision of this version stands, and is written as it is kept', async () => {
  const other = judged(aPlaceOrder(), 'RISK_REJECT')
  await usage.decide([other], await usage.now())
  expect(JSON.stringify(await connection.hget(decided(other), other.orderId))).toBe(
    written('decision'),
  )
  expect(await usage.decide([{ ...other, judged: 'SUCCESS' }], await usage.now())).toEqual([
    'RISK_REJECT',
  ])
})

test.each([
  ['a newer version', (key: string) => connection.hset(key, 'request', '4{}', 'terms', 'new')],
  [
    'a newer version, with an unknown outcome',
    (key: string) => connection.hset(key, 'outcome', 'NEW'),
  ],
  ['no version, not even a record', (key: string) => connection.set(key, 'not a hash')],
])(
  'a record of %s leaves its order unknown, and the group it is claimed in alone',
  async (_, change) => {
    const [strange, good] = [aPlaceOrder(), aPlaceOrder()]
    await Promise.all([accept(strange), accept(good)])
    await change(orderKey(0, orderIdOf(strange)))
    const again = await Promise.allSettled(
      [strange, good].map((order) => ingress.intake.accept({ order, clientId: 'C-1' }, inTime())),
    )
    expect(again.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(again[1]).toMatchObject({ value: { kind: 'OPEN', repeated: true } })
  },
)

test.each([
  ['a newer form', '2{"code":"SUCCESS"}'],
  ['a code that is not known here', '1NEW_CODE'],
])(
  'a decision of %s is left alone and reported, and the rest of its group concluded',
  async (_, text) => {
    const cluster = new Conclusion(
      worker.connection,
      { usage, orders, durability: worker.durability },
      false,
    )
    for (const conclusion of [worker.conclusion, cluster]) {
      const [strange, good] = [aPlaceOrder(), aPlaceOrder()]
      await Promise.all([accept(strange), accept(good)])
      const both = await Promise.all([strange, good].map(judgedAsClaimed))
      const [jobId = ''] = await orders.jobsOf(0, [orderIdOf(strange)])
      const [first] = both
      if (first === undefined) throw new Error('there is one')
      await connection.hset(decided(first), first.orderId, text)
      const standing = await conclusion.conclude({ shard: 0, jobId }, both, await usage.now())
      expect(standing).toEqual([expect.any(Error), 'SUCCESS'])
      expect(await connection.hget(decided(first), first.orderId)).toBe(text)
      const outcome = await connection.hget(orderKey(0, first.orderId), 'outcome')
      expect(outcome ?? '').not.toBe(text)
    }
  },
)

test.each([
  ['of a newer version', '[2,{"orders":[]}]'],
  ['that is not JSON', 'what?'],
  ['without orders', '{}'],
  ['with an outcome that is not known here', '[1,"1790000000100","A-1:P-1","NEW_CODE"]'],
])('a message %s is reported, and the ones after it are received', async (_, text) => {
  const subscriber = (connection as Redis).duplicate()
  const faults: Error[] = []
  const announcements = new Announcements(subscriber, ['{s0}:ingress:strange'], {
    message: () => {},
    order: () => {},
    unreadable: (error) => faults.push(error),
  })
  await announcements.open(() => {})
  const received = Promise.withResolvers<string>()
  announcements.listen(orderIdOf(order), received.resolve)
  await (connection as Redis).spublish('{s0}:ingress:strange', text)
  await (connection as Redis).spublish('{s0}:ingress:strange', written('message'))
  expect(await received.promise).toBe('RISK_REJECT')
  expect(faults).toHaveLength(1)
  subscriber.disconnect()
})

test('a newer decision on an order that left the job is not reported', async () => {
  const order = aPlaceOrder()
  await accept(order)
  const one = judged(order)
  await connection.hset(decided(one), one.orderId, '2{"code":"SUCCESS"}')
  const job = { shard: 0, jobId: 'm-another' }
  expect(await worker.conclusion.conclude(job, [one], await usage.now())).toEqual([undefined])
})

test('an unknown outcome is reported to the caller that would conclude its order', async () => {
  const order = aPlaceOrder()
  await accept(order)
  await connection.hset(orderKey(0, orderIdOf(order)), 'outcome', 'NEW_CODE')
  const concluding = orders.concludeAll(0, [{ orderId: orderIdOf(order), outcome: 'SUCCESS' }])
  expect(await concluding).toEqual([expect.any(Error)])
})

test('a joined group of a newer version is reported, and the others are processed', async () => {
  const group = { v: 1, orderIds: ['A-1:P-1'], subjects: [['M-1', 'digest']], at: 0 }
  const texts = ['{"v":2,"orders":"all"}', JSON.stringify(group)]
  await connection.rpush(joinedKey(0, 'g-joined'), ...texts)
  const faults: Error[] = []
  const worked: string[] = []
  await workInRounds({
    connection,
    shard: 0,
    jobId: 'g-joined',
    own: async () => {},
    joined: async (groups) => void worked.push(...groups.flatMap(({ orderIds }) => orderIds)),
    onUnreadable: (error) => void faults.push(error),
    open: () => false,
    roundMs: 20_000,
  })
  expect(worked).toEqual(['A-1:P-1'])
  expect(faults).toHaveLength(1)
})

test.each([
  ['of a newer form', (key: string) => connection.hdel(key, 'job')],
  ['that is not one', (key: string) => connection.set(key, 'not a hash')],
])('an open order with a record %s is reported, and the others are requeued', async (_, change) => {
  const [strange, concluded, lost] = [aPlaceOrder(), aPlaceOrder(), aPlaceOrder()]
  for (const order of [strange, concluded, lost]) await accept(order)
  await change(orderKey(0, orderIdOf(strange)))
  await orders.conclude(orderIdOf(concluded), 'SUCCESS')
  const [jobId = ''] = await orders.jobsOf(0, [orderIdOf(lost)])
  await worker.queues.queue(0).remove(jobId)
  const faults: unknown[] = []
  const { queues } = worker
  const requeue = new Requeue(connection, orders, queues, (fault) => void faults.push(fault))
  const ids = [strange, concluded, lost].map(orderIdOf)
  expect(await requeue.requeueOpen(0, ids)).toEqual([orderIdOf(lost)])
  expect(faults).toEqual([
    expect.objectContaining({ message: expect.stringContaining(orderIdOf(strange)) }),
  ])
})

test('a job of a newer version is reported, and its orders are requeued by this one', async () => {
  await connection.del(joinableJobKey(0)) // It would join the job that the test before removed.
  const order = aPlaceOrder()
  await accept(order)
  const jobId = (await orders.record(orderIdOf(order)))?.jobId ?? ''
  await connection.hset(jobKey(0, jobId), 'data', '{"v":2,"orders":"all"}')
  const faults: string[] = []
  const worked: string[] = []
  const taker = new GroupWorker(address, async ({ orderIds }) => void worked.push(...orderIds), {
    shards: 1,
    concurrency: 1,
    onError: ({ message }) => faults.push(message),
  })
  await expect.poll(() => faults).toContainEqual(expect.stringContaining(`job ${jobId}`))
  const requeue = async () => worker.requeue.requeueOpen(0, [orderIdOf(order)])
  await expect.poll(requeue).toEqual([orderIdOf(order)])
  await expect.poll(() => worked).toContain(orderIdOf(order))
  await taker.close(1_000)
})
