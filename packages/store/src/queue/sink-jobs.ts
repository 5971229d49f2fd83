import { randomUUID } from 'node:crypto'
import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq'
import { z } from 'zod'
import { digestOf, OrderId, sinkJobKey, sinkQueueName, tagOf } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import type { Durability } from '../redis/durability.ts'
import { shortenExpiriesOf } from './expiries.ts'
import { retryDelay } from './retry-delay.ts'

/** The id of the job for an order's event; of each replay, by its entry, there is another job. */
export const sinkJobId = (orderId: OrderId, replay?: string): string =>
  replay === undefined ? digestOf(orderId) : `${digestOf(orderId)}.${replay}`

/** An event that could not be delivered at first. */
export type FailedDelivery = {
  /** See `sinkJobId`. */
  id: string
  orderId: OrderId
  reason: string
  /** The endpoint wants to be left alone for so long (ms). */
  retryAfterMs?: number | undefined
}

/** An event that is being delivered again. */
export type TakenDelivery = {
  orderId: OrderId
  delivered: () => Promise<void>
  /** Resolves with true if it was the last attempt: it is a dead letter now. */
  failed: (reason: string, retryAfterMs?: number) => Promise<boolean>
}

/** An event that waits, or a dead letter. Times are in ms. */
export type SinkJob = {
  id: string
  orderId: OrderId
  /** Whether its sending had been asked for, and not its first one. */
  isReplay: boolean
  state: string
  failedSince: number
  /** Attempts after the first, which made the job. */
  attempts: number
  /** When it is tried again, about; undefined if it is due, or a dead letter. */
  dueAt: number | undefined
  reason: string
}

const Data = z.object({
  v: z.literal(1),
  orderId: OrderId,
  /** When the first attempt failed (ms). */
  failedSince: z.number(),
  reason: z.string(),
})

const jobOptions = {
  attempts: 1_000_000,
  backoff: { type: 'by-time' },
  removeOnComplete: true,
  stackTraceLimit: 0,
} as const

/** An attempt takes 15 s at most; the job of a notifier that died is taken over after this (ms). */
const LOCK_MS = 30_000
/** How often notifiers look for such jobs (ms). */
const STALL_CHECK_MS = LOCK_MS / 2

/** So many ids of jobs are read in one call, in some 1 ms. */
const PAGE_IDS = 10_000

/** So many jobs are made due in one call. */
const PROMOTED_MAX = 1_000

/**
 * The events of one shard that a sink could not be given at first. Those that failed for 75 h are
 * its dead letters.
 */
export class SinkJobs {
  readonly #connection: RedisConnection
  readonly #shard: number
  readonly #sink: string
  readonly #queue: Queue
  #worker: Worker | undefined
  #shortenedAt = Number.NEGATIVE_INFINITY

  /** The caller closes `connection`. */
  constructor(connection: RedisConnection, shard: number, sink: string) {
    this.#connection = connection
    this.#shard = shard
    this.#sink = sink
    this.#queue = new Queue(sinkQueueName(sink), {
      connection,
      prefix: tagOf(shard),
      skipVersionCheck: true,
      streams: { events: { maxLen: 100 } },
    })
    this.#queue.on('error', () => {}) // Failing commands reject at their callers.
  }

  /** Makes jobs. One that exists already is a dead letter or will be tried: it is tried again. */
  async add(failed: FailedDelivery[]): Promise<void> {
    const now = Date.now()
    await Promise.all(
      failed.map(async ({ id, orderId, reason, retryAfterMs }) => {
        const data: z.input<typeof Data> = { v: 1, orderId, failedSince: now, reason }
        const delay = retryDelay(0, retryAfterMs) ?? 0
        await this.#queue.add('event', data, { ...jobOptions, jobId: id, delay })
        await this.#again(id, now)
      }),
    )
  }

  /** Whether as many replicas as are required have these jobs, by a fence. */
  async replicated(ids: string[], durability: Pick<Durability, 'keyReplicated'>): Promise<boolean> {
    const keys = ids.map((id) => sinkJobKey(this.#shard, this.#sink, id))
    const all = await Promise.all(keys.map((key) => durability.keyReplicated(this.#shard, key)))
    return all.every(Boolean)
  }

  /** The next job that is due; undefined if there is none. */
  async take(): Promise<TakenDelivery | undefined> {
    const worker = await this.#opened()
    if (worker !== undefined) await this.#shortenExpiries()
    const token = randomUUID()
    const job = await worker?.getNextJob(token, { block: false })
    return job === undefined ? undefined : this.#taken(job, token)
  }

  /** The next job, due or not. */
  async takeAny(): Promise<TakenDelivery | undefined> {
    const [delayed] = await this.#queue.getDelayed(0, 0)
    await delayed?.promote().catch(() => {}) // Another notifier has promoted it meanwhile.
    return this.take()
  }

  /** Makes all jobs due, `PROMOTED_MAX` at most: the endpoint is back. */
  async promote(): Promise<void> {
    await this.#queue.promoteJobs({ count: PROMOTED_MAX })
  }

  /** How many events wait to be tried again, and how many are dead letters. */
  async counts(): Promise<{ waiting: number; dead: number }> {
    const counts = await this.#queue.getJobCounts('wait', 'delayed', 'active', 'failed')
    const { wait = 0, delayed = 0, active = 0, failed = 0 } = counts
    return { waiting: wait + delayed + active, dead: failed }
  }

  /** Dead letters, or the events that wait; `max` at most. */
  async list(which: 'dead' | 'waiting', max: number): Promise<SinkJob[]> {
    const states =
      which === 'dead' ? (['failed'] as const) : (['wait', 'delayed', 'active'] as const)
    const listed = states.map(async (state) => {
      const jobs = await this.#queue.getJobs([state], 0, max - 1)
      return jobs.map((job) => this.#described(job, state))
    })
    return (await Promise.all(listed)).flat()
  }

  /** The jobs of an order's event: its first one, and those of replays. */
  async ofOrder(orderId: OrderId): Promise<SinkJob[]> {
    const first = sinkJobId(orderId)
    const ids = new Set([first])
    for (let at = 0; ; at += PAGE_IDS) {
      const states = ['wait', 'delayed', 'active', 'failed'] as const
      const page = await this.#queue.getRanges([...states], at, at + PAGE_IDS - 1)
      if (page.length === 0) break
      for (const id of page) if (id.startsWith(`${first}.`)) ids.add(id)
    }
    const found: SinkJob[] = []
    for (const id of ids) {
      const job = await this.#queue.getJob(id)
      if (job === undefined) continue
      found.push(this.#described(job, await job.getState()))
    }
    return found
  }

  /** Tries a dead letter again, from the first delay on. */
  async retry(id: string): Promise<void> {
    await this.#again(id, Date.now())
  }

  /** Removes all jobs and dead letters. */
  async remove(): Promise<void> {
    await this.#queue.obliterate({ force: true })
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#worker?.close(true), this.#queue.close()])
  }

  /**
   * Those that were set while Redis's clock was ahead would keep the jobs of notifiers that died
   * from all others for as long.
   */
  async #shortenExpiries(): Promise<void> {
    const now = performance.now()
    if (now - this.#shortenedAt < STALL_CHECK_MS) return
    this.#shortenedAt = now
    const keyOf = (name: string) => sinkJobKey(this.#shard, this.#sink, name)
    const expiries = { keyOf, lockMs: LOCK_MS, stallCheckMs: STALL_CHECK_MS }
    await shortenExpiriesOf(this.#connection, expiries)
  }

  async #again(id: string, now: number): Promise<void> {
    const job = await this.#queue.getJob(id)
    if (job === undefined || !(await job.isFailed())) return
    await job.updateData({ ...Data.parse(job.data), failedSince: now })
    await job.retry('failed').catch(() => {}) // Another notifier retries it.
  }

  /** A worker has a connection of its own: most queues are empty, and need none. */
  async #opened(): Promise<Worker | undefined> {
    if (this.#worker !== undefined) return this.#worker
    const { waiting } = await this.counts()
    if (waiting === 0) return undefined
    this.#worker = new Worker(sinkQueueName(this.#sink), null, {
      connection: this.#connection,
      prefix: tagOf(this.#shard),
      autorun: false,
      lockDuration: LOCK_MS,
      stalledInterval: STALL_CHECK_MS,
      maxStalledCount: 1_000_000,
      skipVersionCheck: true,
      settings: {
        backoffStrategy: (_made: number, _type?: string, error?: Error) =>
          error instanceof TryAgain ? error.delayMs : -1,
      },
    })
    this.#worker.on('error', () => {}) // What fails of Redis rejects at the callers.
    await this.#worker.startStalledCheckTimer()
    return this.#worker
  }

  #taken(job: Job, token: string): TakenDelivery {
    const { orderId, failedSince } = Data.parse(job.data)
    return {
      orderId,
      delivered: async () => void (await job.moveToCompleted('', token, false)),
      failed: async (reason, retryAfterMs) => {
        const delayMs = retryDelay(Date.now() - failedSince, retryAfterMs)
        const error =
          delayMs === undefined ? new UnrecoverableError(reason) : new TryAgain(reason, delayMs)
        await job.moveToFailed(error, token, false)
        return delayMs === undefined
      },
    }
  }

  /** `state` as BullMQ names it. A job that was made due keeps the delay that it had. */
  #described(job: Job, state: string): SinkJob {
    const { orderId, failedSince, reason } = Data.parse(job.data)
    return {
      id: job.id ?? '',
      orderId,
      isReplay: job.id !== sinkJobId(orderId),
      state: state === 'failed' ? 'dead' : 'waiting',
      failedSince,
      attempts: job.attemptsMade,
      dueAt: state === 'delayed' ? (job.processedOn ?? job.timestamp) + job.delay : undefined,
      reason: job.failedReason || reason,
    }
  }
}

/** An attempt that failed, and the delay before the next one (ms). */
class TryAgain extends Error {
  readonly delayMs: number
  constructor(reason: string, delayMs: number) {
    super(reason)
    this.name = 'TryAgain'
    this.delayMs = delayMs
  }
}
