import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { jobKey, orderIdOf } from '../keys.ts'
import { connect } from '../redis/connection.ts'
import { GroupWorker, type OrderGroup } from './group-worker.ts'

const { address, connection, worker } = await openTestStore({ own: true })

test('a worker that waits for a delayed job blocks briefly, and keeps its heartbeat', async () => {
  const looking = connect(address, 'patient') as Redis
  const monitor = await looking.monitor()
  const waits: number[] = []
  const seen = Promise.withResolvers<void>()
  monitor.on('monitor', (_at: string, [command, ...args]: string[]) => {
    if (command?.toLowerCase() !== 'bzpopmin') return
    waits.push(Number(args.at(-1)))
    if (waits.length === 3) seen.resolve()
  })
  await worker.queues.enqueue(
    0,
    'r-delayed',
    { orderIds: [orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })] },
    60_000,
  )
  const taker = new GroupWorker(address, async () => {}, {
    shards: 1,
    concurrency: 8,
    onError: () => {},
  })
  await seen.promise
  // BullMQ rounds up until it knows whom it talks to.
  expect(Math.max(...waits)).toBeLessThanOrEqual(1)
  await taker.close(1_000)
  monitor.disconnect()
  looking.disconnect()
})

test('a job that fails keeps no stack traces: it is as large after each attempt', async () => {
  const failed = Promise.withResolvers<void>()
  await worker.queues.enqueue(0, 'r-failing', {
    orderIds: [orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })],
  })
  const process = async ({ jobId, attempt }: OrderGroup) => {
    if (jobId !== 'r-failing') return
    if (attempt === 2) failed.resolve()
    throw new Error('down')
  }
  const options = { shards: 1, concurrency: 8, onError: () => {} }
  const taker = new GroupWorker(address, process, options)
  await failed.promise
  expect(await connection.hget(jobKey(0, 'r-failing'), 'stacktrace')).toBe('[]')
  await taker.close(1_000)
})

test('a job that a worker with a clock ahead has delayed by a day is due at once', async () => {
  const now = Date.now()
  await worker.queues.enqueue(
    0,
    'r-soon',
    { orderIds: [orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })] },
    30_000,
  )
  await worker.queues.enqueue(
    0,
    'r-late',
    { orderIds: [orderIdOf({ acquirerId: 'A-1', paymentId: 'P-2' })] },
    86_400_000,
  )
  const states = () =>
    Promise.all(
      ['r-soon', 'r-late'].map(async (jobId) => (await worker.queues.job(0, jobId))?.state),
    )
  expect(await states()).toEqual(['delayed', 'delayed'])
  await worker.queues.promoteLate(0, now)
  expect(await states()).toEqual(['delayed', 'waiting'])
})
