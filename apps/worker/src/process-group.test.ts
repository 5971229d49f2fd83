import { randomUUID } from 'node:crypto'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { Undecided } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test } from 'vitest'
import { openTestWorker } from '../test/worker-store.ts'
import { processGroup } from './process-group.ts'

const { store, deps, groupOf } = await openTestWorker()

test('a group is decided, each order by itself', async () => {
  const [good, unknown] = [aPlaceOrder(), aPlaceOrder({ codeValue: 'unknown' })]
  await processGroup(await groupOf(good, unknown), deps)
  expect(await store.orders.outcomeOf(good.paymentId)).toBe('SUCCESS')
  expect(await store.orders.outcomeOf(unknown.paymentId)).toBe('INVALID_CODE')
})

test('any text is a paymentId or a customerId', async () => {
  const odd = ['with space', 'nul \0', 'quote " and \\', 'line\nbreak', '{s7}', '漢字😀', '[1]', 'null']
  const orders = odd.map((text) => aPlaceOrder({ paymentId: `${text} ${randomUUID()}`, customerId: text }))
  await processGroup(await groupOf(...orders), deps)
  for (const { paymentId } of orders)
    expect(await store.orders.outcomeOf(paymentId), paymentId).toBe('SUCCESS')
})

test('a job leaves an order alone that names another job', async () => {
  const [own, other] = [aPlaceOrder(), aPlaceOrder()]
  const [group, elsewhere] = [await groupOf(own), await groupOf(other)]
  await processGroup({ ...group, paymentIds: [own.paymentId, other.paymentId] }, deps)
  expect(await store.orders.outcomeOf(own.paymentId)).toBe('SUCCESS')
  expect(await store.orders.outcomeOf(other.paymentId)).toBeUndefined()
  await processGroup(elsewhere, deps)
  expect(await store.orders.outcomeOf(other.paymentId)).toBe('SUCCESS')
})

/** Makes the store fail for a customer: a key that counts its orders is of another type, whatever has damaged it. */
async function damage(customerId: string): Promise<void> {
  const customers = () => store.connection.keys('*:recent:customer:*')
  const others = await customers()
  await processGroup(await groupOf(aPlaceOrder({ customerId })), deps)
  const [key = ''] = (await customers()).filter((one) => !others.includes(one))
  await store.connection.set(key, 'damaged')
}

test('an order that makes the store fail leaves its neighbours to jobs of their own', async () => {
  const [good, bad] = [aPlaceOrder(), aPlaceOrder({ customerId: 'C-damaged' })]
  await damage('C-damaged')
  const group = await groupOf(good, bad)
  await processGroup(group, deps)
  const alone = async ({ paymentId }: PlaceOrderRequest) => {
    const jobId = (await store.orders.record(paymentId))?.jobId ?? ''
    return { ...group, jobId, paymentIds: [paymentId] }
  }
  await processGroup(await alone(good), deps)
  expect(await store.orders.outcomeOf(good.paymentId)).toBe('SUCCESS')
  await expect(processGroup(await alone(bad), deps)).rejects.toThrow('WRONGTYPE')
  const jobs = await store.queues.queue(0).getDelayed()
  expect(jobs.map((job) => job.data.paymentIds).toSorted()).toEqual(
    [[good.paymentId], [bad.paymentId]].toSorted(),
  )
})

test('a large group is decided in parts: what fails in one of them leaves the others’ orders alone', async () => {
  const orders = Array.from({ length: 70 }, () => aPlaceOrder({ customerId: randomUUID() }))
  const bad = aPlaceOrder({ customerId: 'C-damaged-too' })
  await damage('C-damaged-too')
  const group = await groupOf(...orders.slice(0, 10), bad, ...orders.slice(10))
  await processGroup(group, deps)
  const outcomes = await Promise.all(orders.map(({ paymentId }) => store.orders.outcomeOf(paymentId)))
  expect(outcomes.slice(30)).toEqual(outcomes.slice(30).map(() => 'SUCCESS'))
  // Those of its part, and it, are each in a job of its own now; nobody else is.
  const jobIds = await store.orders.jobsOf(group.shard, group.paymentIds)
  const open = group.paymentIds.filter((_, i) => jobIds[i] !== undefined)
  expect(open).toContain(bad.paymentId)
  expect(new Set(jobIds.filter((jobId) => jobId !== undefined)).size).toBe(open.length)
  expect(open.length + outcomes.filter((outcome) => outcome === 'SUCCESS').length).toBe(71)
})

test('an order whose worker died of it after all its time is given up without being judged once more', async () => {
  const order = aPlaceOrder()
  const group = { ...(await groupOf(order)), orphaned: true }
  const judged: unknown[] = []
  const check = { name: 'deadly', after: 'merchant' as const, run: () => Promise.reject(judged.push(1)) }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  await processGroup(group, { ...deps, rulebook: () => rulebook, decideWithinMs: -1 })
  expect(judged).toEqual([])
  expect(await store.orders.outcomeOf(order.paymentId)).toBe('PROCESS_FAIL')
})

test('an order that cannot be decided in all its time is PROCESS_FAIL; before, it is undecided', async () => {
  const order = aPlaceOrder()
  const group = await groupOf(order)
  const check = { name: 'down', after: 'merchant' as const, run: () => Promise.reject(new Error('down')) }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  const undecidable = { ...deps, rulebook: () => rulebook }
  await expect(processGroup(group, undecidable)).rejects.toThrow(Undecided)
  expect(await store.orders.outcomeOf(order.paymentId)).toBeUndefined()
  await processGroup(group, { ...undecidable, decideWithinMs: -1 })
  expect(await store.orders.outcomeOf(order.paymentId)).toBe('PROCESS_FAIL')
})

test('an order that has joined a job and cannot be decided leaves it for a job of its own', async () => {
  const order = aPlaceOrder()
  const group = await groupOf(order)
  const check = { name: 'down', after: 'merchant' as const, run: () => Promise.reject(new Error('down')) }
  const rulebook = { ...deps.rulebook(), checks: [check] }
  await processGroup({ ...group, joined: true }, { ...deps, rulebook: () => rulebook })
  const jobId = (await store.orders.record(order.paymentId))?.jobId ?? ''
  expect(jobId).not.toBe(group.jobId)
  expect(await store.queues.job(0, jobId)).toMatchObject({ state: 'delayed' })
})
