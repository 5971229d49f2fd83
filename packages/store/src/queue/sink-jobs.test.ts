import { afterEach, expect, test, vi } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { orderIdOf, sinkJobKey } from '../keys.ts'
import { retryDelay } from './retry-delay.ts'
import { SinkJobs, sinkJobId } from './sink-jobs.ts'

const { connection } = await openTestStore({ own: true })
afterEach(() => void vi.useRealTimers())

const HOUR_MS = 3_600_000

test.each([
  ['at first', 0, 0, 5_000],
  ['after 5 s', 5_000, 0, 25_000],
  ['between two attempts', 10_000, 0, 20_000],
  ['after 51 h', 51.2 * HOUR_MS, 0, 24 * HOUR_MS],
  ['when the endpoint asks for an hour', 0, HOUR_MS, HOUR_MS],
  ['when it failed first by a clock that was a day ahead', -24 * HOUR_MS, 0, 5_000],
])('an event that failed is tried again: %s', (_when, elapsedMs, retryAfterMs, delayMs) => {
  const delay = retryDelay(elapsedMs, retryAfterMs, 0) ?? 0
  expect(Math.abs(delay - delayMs)).toBeLessThan(0.02 * delayMs)
})

test('after 75 h an event is tried no more', () => {
  expect(retryDelay(76 * HOUR_MS)).toBeUndefined()
})

test('an event that fails again when it is a dead letter already is tried again', async () => {
  const jobs = new SinkJobs(connection, 0, 'ledger')
  const orderId = orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })
  const failed = { id: 'job', orderId, reason: 'it answered HTTP 500' }
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 76 * HOUR_MS })
  await jobs.add([failed])
  vi.useRealTimers()
  expect(await (await jobs.takeAny())?.failed('it answered HTTP 422')).toBe(true)
  expect(await jobs.counts()).toEqual({ waiting: 0, dead: 1 })
  await jobs.add([failed])
  expect(await jobs.counts()).toEqual({ waiting: 1, dead: 0 })
  const again = await jobs.take()
  expect(again?.orderId).toBe(orderId)
  expect(await again?.failed('it answered HTTP 422')).toBe(false)
  expect(await jobs.counts()).toEqual({ waiting: 1, dead: 0 })
  await jobs.close()
})

test('events that were made due because an endpoint is back wait for no time', async () => {
  const jobs = new SinkJobs(connection, 0, 'back')
  const orderIds = ['P-1', 'P-2'].map((paymentId) => orderIdOf({ acquirerId: 'A-1', paymentId }))
  await jobs.add(
    orderIds.map((orderId) => ({
      id: sinkJobId(orderId),
      orderId,
      reason: 'it answered HTTP 500',
    })),
  )
  const dueAt = async () => {
    const found = await Promise.all(orderIds.map((orderId) => jobs.ofOrder(orderId)))
    return [...(await jobs.list('waiting', 10)), ...found.flat()].map((job) => job.dueAt)
  }
  expect(await dueAt()).toEqual(Array(4).fill(expect.any(Number)))
  await jobs.promote()
  expect(await dueAt()).toEqual(Array(4).fill(undefined))
  await jobs.close()
})

test('a job that was taken while Redis’s clock was days ahead is not kept for days', async () => {
  const DAYS_MS = 259_200_000
  const [ahead, jobs] = [0, 1].map(() => new SinkJobs(connection, 0, 'ahead'))
  const orderId = orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })
  await ahead?.add([{ id: 'job', orderId, reason: 'it answered HTTP 500' }])
  expect(await ahead?.takeAny()).toBeDefined()
  const keys = ['job:lock', 'stalled-check'].map((name) => sinkJobKey(0, 'ahead', name))
  for (const key of keys) await connection.set(key, 'kept', 'PX', DAYS_MS)
  expect(await jobs?.take()).toBeUndefined()
  const leftMs = await Promise.all(keys.map((key) => connection.pttl(key)))
  expect(Math.max(...leftMs)).toBeLessThanOrEqual(30_000)
  await Promise.all([ahead?.close(), jobs?.close()])
})
