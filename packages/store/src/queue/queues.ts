import { Queue } from 'bullmq'
import type { z } from 'zod'
import { delayedJobsKey, queueName, tagOf } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { type GroupData, JOB_VERSION, type JobData } from './job-rounds.ts'

/** How a job stands, in BullMQ's words, with its times in ms. */
export type JobStatus = {
  state: string
  enqueuedAt: number
  /** When a worker last took it. */
  startedAt: number | undefined
  /** How often a worker took it. */
  attempts: number
  /** Not before then a worker takes it, about: it is delayed. */
  dueAt: number | undefined
}

/** Retries double from the first delay to the last (ms), so an outage of seconds costs seconds and not minutes. */
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000

/**
 * BullMQ dates retries by the clock of the worker they failed at. What is due later than any can be (ms), by the clock of Redis,
 * was dated by a clock that was ahead.
 */
const DUE_MS_MAX = 2 * RETRY_MS_MAX

/** So many of these are made due at once. */
const PROMOTED_MAX = 100

/** More attempts than fit into any DECIDE_WITHIN_MS: time ends an order, not the count. */
const ATTEMPTS_MAX = 1_000_000

/** BullMQ's scores of delayed jobs are of this part of a ms: it keeps those of one ms in order. */
const DUE_UNIT = 0x1000

const jobOptions = {
  attempts: ATTEMPTS_MAX,
  backoff: { type: 'doubling' },
  removeOnComplete: true,
  removeOnFail: true,
  // BullMQ keeps the stack of each attempt in the job: of an outage of hours, megabytes.
  stackTraceLimit: 0,
} as const

/** The wait before attempt number `attempts` + 1, in ms. */
export const retryDelayMs = (attempts: number): number =>
  Math.min(RETRY_MS_MIN * 2 ** Math.min(attempts - 1, 20), RETRY_MS_MAX)

/** The BullMQ queues, one a shard. */
export class Queues {
  readonly #connection: RedisConnection
  readonly #queues: Queue[]

  /** `connection` is closed by whoever opened it. */
  constructor(connection: RedisConnection, shards: number) {
    this.#connection = connection
    this.#queues = Array.from({ length: shards }, (_, shard) => {
      const queue = new Queue(queueName, {
        connection,
        prefix: tagOf(shard),
        skipVersionCheck: true,
        // Nobody reads BullMQ's event stream here; the default keeps 10,000 events a queue.
        streams: { events: { maxLen: 100 } },
      })
      queue.on('error', () => {}) // Commands that fail say so to their callers.
      return queue
    })
  }

  /** Makes a job answerable for orders. With an id already there nothing happens. */
  async enqueue(shard: number, jobId: string, group: GroupData, delayMs = 0): Promise<void> {
    const data: z.input<typeof JobData> = { v: JOB_VERSION, ...group }
    await this.queue(shard).add('group', data, {
      ...jobOptions,
      jobId,
      ...(delayMs > 0 ? { delay: delayMs } : {}),
    })
  }

  /** Makes jobs of a shard due that a worker whose clock is ahead has put off. `now`: Redis's time (ms). */
  async promoteLate(shard: number, now: number): Promise<void> {
    const from = (now + DUE_MS_MAX) * DUE_UNIT
    const key = delayedJobsKey(shard)
    const late = await this.#connection.zrangebyscore(key, from, '+inf', 'LIMIT', 0, PROMOTED_MAX)
    for (const jobId of late) {
      const job = await this.queue(shard).getJob(jobId)
      await job?.promote().catch(() => {}) // Another worker has promoted it meanwhile.
    }
  }

  /** How a job stands; undefined if it is not there (any more). */
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

  /** All of them, for showing. */
  get all(): readonly Queue[] {
    return this.#queues
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#queues.map((queue) => queue.close()))
  }
}
