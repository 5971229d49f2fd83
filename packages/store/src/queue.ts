import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq'
import type { z } from 'zod'
import { type GroupData, JOB_VERSION, JobData, type Joining, workInRounds } from './gathering.ts'
import { Digest, delayedJobsKey, type OrderId, queueName, tagOf } from './keys.ts'
import type { Subjects } from './recent.ts'
import { type Connection, connect, type RedisAddress } from './redis.ts'

/** A job's orders, or some that have joined it, as a worker gets them. Times are in ms; `signal` aborts when the worker is closed before it is done. */
export type Group = Omit<GroupData, 'subjects'> & {
  /** Whose orders they are, by `OrderId`, where the job says it. */
  subjects?: ReadonlyMap<OrderId, Subjects>
  jobId: string
  shard: number
  /** When they could first be taken: a delayed job waits for that, and not for a worker. By their ingress's clock. */
  dueAt: number
  takenAt: number
  /** 1 when it is run for the first time. */
  attempt: number
  /** How often a worker that had it did not live to finish it. */
  stalled: number
  /** They have joined the job, and it does not name them: run again, it may be without them. */
  joined: boolean
  signal: AbortSignal
}

/** How a job stands, in BullMQ's words, with its times in ms. */
export type JobStands = {
  state: string
  enqueuedAt: number
  /** When a worker last took it. */
  startedAt: number | undefined
  /** How often a worker took it. */
  attempts: number
  /** Not before then a worker takes it, about: it is delayed. */
  dueAt: number | undefined
}

// A killed worker's job is taken over when its lock has run out and a stall check has seen it twice: at most
// LOCK_MS + 2 × STALL_CHECK_MS. BullMQ's own 30 s each would leave an order undecided for a minute and a half.
const LOCK_MS = 4_000
const STALL_CHECK_MS = 1_500

/**
 * How long a worker with nothing to do waits in one call, in seconds: BullMQ gives up on a call that is a second late, so
 * a connection that has gone silent under it costs an order no more than a second and a half. What is asked on a connection
 * meanwhile is not answered before: it must not be taken for silent (see silence.ts).
 */
const IDLE_S = 0.5

/** While a job is delayed, BullMQ's own waits in one call for as long as that, up to 10 s. */
class Taker extends Worker {
  override get maximumBlockTimeout(): number {
    return IDLE_S
  }
}

/** However often a job's worker dies, it is not taken out of the queue: whoever processes it sees to that. */
const STALLED_MAX = 1_000_000

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

/** A group may have an order twice: its first one was claimed. */
function subjectsById(orderIds: OrderId[], subjects: string[][]): Map<OrderId, Subjects> {
  const byId = new Map<OrderId, Subjects>()
  for (const [i, orderId] of orderIds.entries()) {
    const [merchant, code, customer] = subjects[i] ?? []
    if (merchant === undefined || code === undefined || byId.has(orderId)) continue
    byId.set(orderId, {
      merchant,
      code: Digest.parse(code),
      customer: customer === undefined ? undefined : Digest.parse(customer),
    })
  }
  return byId
}

/**
 * Groups as one, and when the first of them could be taken (ms). Orders that the job has `named` before are left out: a repeat that came
 * in another group may say of an order what was not claimed.
 */
function asOne(groups: Joining[], named: Set<OrderId>): [GroupData, dueAt: number] {
  const orders = groups
    .flatMap(({ orderIds, subjects }) =>
      orderIds.map((id, i) => ({ id, subjects: subjects[i] ?? [] })),
    )
    .filter(({ id }) => {
      const first = !named.has(id)
      named.add(id)
      return first
    })
  const group = {
    orderIds: orders.map(({ id }) => id),
    subjects: orders.map(({ subjects }) => subjects),
    traces: Object.assign({}, ...groups.map(({ traces }) => traces)),
  }
  return [group, Math.min(...groups.map(({ at }) => at))]
}

/** The BullMQ queues, one a shard. */
export class Queues {
  readonly #connection: Connection
  readonly #queues: Queue[]

  /** `connection` is closed by whoever opened it. */
  constructor(connection: Connection, shards: number) {
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
  async job(shard: number, jobId: string): Promise<JobStands | undefined> {
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

export type TakingGroups = {
  shards: number
  /** Groups worked on at once, a shard. */
  concurrency: number
  onError: (error: Error) => void
}

/** Works on groups as they come, until closed. */
export class GroupTaker {
  readonly #workers: Worker[]
  readonly #connections: Connection[]
  readonly #ending = new AbortController()
  readonly #onError: (error: Error) => void
  #closing = false

  constructor(
    address: RedisAddress,
    process: (group: Group) => Promise<void>,
    options: TakingGroups,
  ) {
    this.#connections = []
    this.#onError = options.onError
    this.#workers = Array.from({ length: options.shards }, (_, shard) => {
      const connection = connect(address, 'patient')
      connection.on('error', options.onError)
      this.#connections.push(connection)
      const worker = new Taker(queueName, (job: Job) => this.#work(job, shard, process), {
        connection,
        prefix: tagOf(shard),
        concurrency: options.concurrency,
        lockDuration: LOCK_MS,
        stalledInterval: STALL_CHECK_MS,
        maxStalledCount: STALLED_MAX,
        skipVersionCheck: true,
        drainDelay: IDLE_S,
        runRetryDelay: 500,
        settings: { backoffStrategy: (attempts: number) => retryDelayMs(attempts) },
      })
      worker.on('error', options.onError)
      return worker
    })
  }

  async #work(job: Job, shard: number, process: (group: Group) => Promise<void>): Promise<void> {
    const data = JobData.safeParse(job.data)
    const connection = this.#connections[shard]
    if (!data.success || connection === undefined) {
      const what = `job ${job.id} is of a newer version, or damaged: its orders are requeued`
      const error = new UnrecoverableError(what)
      this.#onError(error)
      throw error
    }
    const jobId = job.id ?? ''
    const groupOf = ({ subjects, ...group }: GroupData, dueAt: number, joined: boolean): Group => ({
      ...group,
      ...(subjects === undefined ? {} : { subjects: subjectsById(group.orderIds, subjects) }),
      jobId,
      shard,
      dueAt,
      takenAt: Date.now(),
      attempt: job.attemptsStarted,
      stalled: job.stalledCounter,
      joined,
      signal: this.#ending.signal,
    })
    const { v: _, ...ownGroup } = data.data
    const named = new Set(ownGroup.orderIds)
    await workInRounds({
      connection,
      shard,
      jobId,
      own: () => process(groupOf(ownGroup, job.timestamp + (job.opts.delay ?? 0), false)),
      joined: (groups) => process(groupOf(...asOne(groups, named), true)),
      open: () => !this.#closing,
    })
  }

  /** True while every shard's worker is taking jobs. */
  get taking(): boolean {
    return this.#workers.every((worker) => worker.isRunning() && !worker.isPaused())
  }

  /**
   * Takes no more groups and waits for those in hand, `withinMs` at most: what is not done then is left to another
   * worker, as after a kill.
   */
  async close(withinMs: number): Promise<void> {
    this.#closing = true
    const late = Promise.withResolvers<void>()
    const deadline = setTimeout(late.resolve, withinMs)
    try {
      await Promise.race([
        Promise.allSettled(this.#workers.map((worker) => worker.close())),
        late.promise,
      ])
    } finally {
      clearTimeout(deadline)
      this.#ending.abort()
      for (const worker of this.#workers) void worker.close(true).catch(() => {})
      for (const connection of this.#connections) connection.disconnect()
    }
  }
}
