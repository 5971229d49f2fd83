import { type Job, UnrecoverableError, Worker } from 'bullmq'
import { Digest, type OrderId, queueName, tagOf } from '../keys.ts'
import type { LookupIds } from '../orders/lookup-ids.ts'
import { connect, type RedisAddress, type RedisConnection } from '../redis/connection.ts'
import { type GroupData, JobData, type JoiningGroup, workInRounds } from './job-rounds.ts'
import { retryDelayMs } from './queues.ts'

/** A job's orders, or some that have joined it, as a worker gets them. Times are in ms; `signal` aborts when the worker is closed before it is done. */
export type OrderGroup = Omit<GroupData, 'subjects'> & {
  /** Whose orders they are, by `OrderId`, where the job says it. */
  subjects?: ReadonlyMap<OrderId, LookupIds>
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

// A killed worker's job is taken over when its lock has run out and a stall check has seen it twice: at most
// LOCK_MS + 2 × STALL_CHECK_MS. BullMQ's own 30 s each would leave an order undecided for a minute and a half.
export const LOCK_MS = 4_000
export const STALL_CHECK_MS = 1_500

/**
 * How long a worker with nothing to do waits in one call, in seconds: BullMQ gives up on a call that is a second late, so
 * a connection that has gone silent under it costs an order no more than a second and a half. What is asked on a connection
 * meanwhile is not answered before: it must not be taken for silent (see silence.ts).
 */
const IDLE_S = 0.5

/** While a job is delayed, BullMQ's own waits in one call for as long as that, up to 10 s. */
class ShortPollWorker extends Worker {
  override get maximumBlockTimeout(): number {
    return IDLE_S
  }
}

/** However often a job's worker dies, it is not taken out of the queue: whoever processes it sees to that. */
const STALLED_MAX = 1_000_000

export type GroupWorkerOptions = {
  shards: number
  /** Groups worked on at once, a shard. */
  concurrency: number
  onError: (error: Error) => void
}

/** Works on groups as they come, until closed. */
export class GroupWorker {
  readonly #workers: Worker[]
  readonly #connections: RedisConnection[]
  readonly #ending = new AbortController()
  readonly #onError: (error: Error) => void
  #closing = false

  constructor(
    address: RedisAddress,
    process: (group: OrderGroup) => Promise<void>,
    options: GroupWorkerOptions,
  ) {
    this.#connections = []
    this.#onError = options.onError
    this.#workers = Array.from({ length: options.shards }, (_, shard) => {
      const connection = connect(address, 'patient')
      connection.on('error', options.onError)
      this.#connections.push(connection)
      const worker = new ShortPollWorker(queueName, (job: Job) => this.#work(job, shard, process), {
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

  async #work(
    job: Job,
    shard: number,
    process: (group: OrderGroup) => Promise<void>,
  ): Promise<void> {
    const data = JobData.safeParse(job.data)
    const connection = this.#connections[shard]
    if (!data.success || connection === undefined) {
      const what = `job ${job.id} is of a newer version, or damaged: its orders are requeued`
      const error = new UnrecoverableError(what)
      this.#onError(error)
      throw error
    }
    const jobId = job.id ?? ''
    const groupOf = (
      { subjects, ...group }: GroupData,
      dueAt: number,
      joined: boolean,
    ): OrderGroup => ({
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
      joined: (groups) => process(groupOf(...mergeGroups(groups, named), true)),
      onUnreadable: this.#onError,
      open: () => !this.#closing,
    })
  }

  /** True while every shard's worker is taking jobs. */
  get isRunning(): boolean {
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

/** A group may have an order twice: its first one was claimed. */
function subjectsById(orderIds: OrderId[], subjects: string[][]): Map<OrderId, LookupIds> {
  const byId = new Map<OrderId, LookupIds>()
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
function mergeGroups(groups: JoiningGroup[], named: Set<OrderId>): [GroupData, dueAt: number] {
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
