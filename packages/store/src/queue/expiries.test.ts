import { beforeEach, expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import {
  activeJobsKey,
  jobKey,
  joinableJobKey,
  orderIdOf,
  resumingKey,
  stalledCheckKey,
} from '../keys.ts'
import { GroupWorker } from './group-worker.ts'

const { address, worker, connection } = await openTestStore({ own: true })
const { expiries, queues } = worker
const DAYS_MS = 259_200_000
const lockKey = (jobId: string) => `${jobKey(0, jobId)}:lock`

beforeEach(async () => {
  await connection.flushall()
})

/** Jobs that workers have, the first taken first; their locks expire after so long (ms). */
async function activeJobs(jobs: number, lockMs: number): Promise<string[]> {
  const jobIds = Array.from({ length: jobs }, (_, i) => `g-${i}`)
  await connection.lpush(activeJobsKey(0), ...jobIds)
  await Promise.all(jobIds.map((jobId) => connection.set(lockKey(jobId), 'token', 'PX', lockMs)))
  return jobIds
}

test.each([
  ['the lock of a job', lockKey('g-0'), 4_000],
  ['the turn of the stall check', stalledCheckKey(0), 1_500],
  ['the job that orders may join', joinableJobKey(0), 50],
  ['the turn to resume deferred orders', resumingKey(0), 400],
])(
  '%s that was set while the clock was ahead expires in its usual time',
  async (_, key, givenMs) => {
    await activeJobs(1, 4_000)
    await connection.set(key, 'kept', 'PX', DAYS_MS)
    expect(await expiries.shorten(0)).toBe(1)
    const leftMs = await connection.pttl(key)
    // -2: it has ended already.
    expect(leftMs === -2 || (leftMs >= 0 && leftMs <= givenMs)).toBe(true)
  },
)

test('an expiry that is not too long is left alone, and no key is created', async () => {
  await activeJobs(1, 1_000)
  await connection.lpush(activeJobsKey(0), 'g-without-lock')
  await connection.set(stalledCheckKey(0), 1, 'PX', 1_000)
  expect(await expiries.shorten(0)).toBe(0)
  expect(await connection.pttl(lockKey('g-0'))).toBeLessThanOrEqual(1_000)
  expect((await connection.keys('*')).toSorted()).toEqual(
    [activeJobsKey(0), lockKey('g-0'), stalledCheckKey(0)].toSorted(),
  )
})

test('the locks of the oldest of very many active jobs are checked', async () => {
  await activeJobs(600, DAYS_MS)
  expect(await expiries.shorten(0)).toBe(500)
  expect(await connection.pttl(lockKey('g-0'))).toBeLessThanOrEqual(4_000)
  expect(await connection.pttl(lockKey('g-599'))).toBeGreaterThan(4_000)
})

test('a job whose worker died while Redis’s clock was days ahead is taken over', async () => {
  const options = { shards: 1, concurrency: 1, onError: () => {} }
  const taken = Promise.withResolvers<void>()
  const never = new Promise<void>(() => {})
  const holds = () => {
    taken.resolve()
    return never
  }
  const dead = new GroupWorker(address, holds, options)
  await queues.enqueue(0, 'g-held', {
    orderIds: [orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })],
  })
  await taken.promise
  await dead.close(0)
  await connection.pexpire(lockKey('g-held'), DAYS_MS)
  await connection.set(stalledCheckKey(0), 1, 'PX', DAYS_MS)
  const overtaken: string[] = []
  const living = new GroupWorker(address, async ({ jobId }) => void overtaken.push(jobId), options)
  expect(await expiries.shorten(0)).toBe(2)
  await expect.poll(() => overtaken, { timeout: 20_000 }).toEqual(['g-held'])
  await living.close(1_000)
}, 30_000)
