import { Queue } from 'bullmq'
import type { z } from 'zod'
import { delayedJobsKey, queueName, tagOf } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { type GroupData, JOB_VERSION, type JobData } from './job-rounds.ts'

/** The state of a job, in BullMQ's words. Times in ms. */
export type JobStatus = {
  state: string
  enqueuedAt: number
  /** When a worker last took it. */
  startedAt: number | undefined
  /** How often workers took it. */
  attempts: number
  /** If it is delayed: when a worker can take it, about. */
  dueAt: number | undefined
}

/**
 * Retry delays double from the first to the second (ms): an outage of seconds costs seconds, not
 * minutes.
 */
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000

/**
 * BullMQ dates a retry by the clock of the worker on which the job failed. A retry that is due
 * later than this (ms), by the clock of Redis, was dated by a clock that is ahead.
 */
const DUE_MS_MAX = 2 * RETRY_MS_MAX

/** How many of those are promoted in one call. */
const PROMOTED_MAX = 100

/** More attempts than fit into any DECIDE_WITHIN_MS: time abandons an order, not a count. */
const ATTEMPTS_MAX = 1_000_000

/**
 * BullMQ's scores of delayed jobs are in units of 1/4096 ms, so that jobs of the same ms stay in
 * order.
 */
const DUE_UNIT = 0x1000

const jobOptions = {
  attempts: ATTEMPTS_MAX,
  backoff: { type: 'doubling' },
  removeOnComplete: true,
  removeOnFail: true,
  // BullMQ stores the stack of each attempt in the job: megabytes after an outage of hours.
  stackTraceLimit: 0,
} as const

/** The delay before attempt number `attempts` + 1, in ms. */
export const retryDelayMs = (attempts: number): number =>
  Math.min(RETRY_MS_MIN * 2 ** Math.min(attempts - 1, 20), RETRY_MS_MAX)

/** The BullMQ queues, one for each shard. */
export class Queues {
  readonly #connection: RedisConnection
  readonly #queues: Queue[]

  /** The caller closes `connection`. */
  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#queues = Array.from({ length: shards }, (_, shard) => {
      const queue = new Queue(queueName, {
        connection,
        prefix: tagOf(shard),
        skipVersionCheck: true,
        // Nobody reads BullMQ's event stream here; by default it keeps 10,000 events for each
        // queue.
        streams: { events: { maxLen: 100 } },
      })
      queue.on('error', () => {}) // Failing commands reject at their callers.
      return queue
    })
  }

  /** Enqueues a job for orders. Does nothing if a job with this id exists. */
  async enqueue(shard: number, jobId: string, group: GroupData, delayMs = 0): Promise<void> {
    const data: z.input<typeof JobData> = { v: JOB_VERSION, ...group }
    await this.queue(shard).add('group', data, {
      ...jobOptions,
      jobId,
      ...(delayMs > 0 ? { delay: delayMs } : {}),
    })
  }

  /** Makes jobs due that a worker whose clock is ahead has delayed. `now`: Redis's time (ms). */
  async promoteLate(shard: number, now: number): Promise<void> {
    const from = (now + DUE_MS_MAX) * DUE_UNIT
    const key = delayedJobsKey(shard)
    const late = await this.#connection.zrangebyscore(key, from, '+inf', 'LIMIT', 0, PROMOTED_MAX)
    for (const jobId of late) {
      const job = await this.queue(shard).getJob(jobId)
      await job?.promote().catch(() => {}) // Another worker has promoted it meanwhile.
    }
  }

  /** The state of a job; undefined if it does not exist (any more). */
  async job(shard: number, jobId: string): Promise<JobStatus | undefined> {
    const job = await this.queue(shard).getJob(jobId)
    if (job === undefined) return undefined
    const state = await job.getState()
    return {
      state,
      enqueuedAt: job.timestamp,
      startedAt: job.processedOn,
      attempts: job.attemptsStarted,
      dueAt: state === 'delayed' ? (job.processedOn ?? job.timestamp) + job.delay : undefined,
    }
  }

  queue(shard: number): Queue {
    const queue = this.#queues[shard]
    if (queue === undefined) throw new RangeError(`there is no shard ${shard}`)
    return queue
  }

  /** All queues, for the queue view. */
  get all(): readonly Queue[] {
    return this.#queues
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#queues.map((queue) => queue.close()))
  }
}
