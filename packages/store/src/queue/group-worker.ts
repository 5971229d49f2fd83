import { type Job, UnrecoverableError, Worker } from 'bullmq'
import { type OrderId, queueName, tagOf } from '../keys.ts'
import { type LookupIds, lookupIdsFrom } from '../orders/lookup-ids.ts'
import {
  connect,
  onConnectionLost,
  type RedisAddress,
  type RedisConnection,
} from '../redis/connection.ts'
import { FirstJoined } from './first-joined.ts'
import {
  type Counted,
  type GroupData,
  JobData,
  type JoiningGroup,
  type RoundEnd,
  workInRounds,
} from './job-rounds.ts'
import { retryDelayMs } from './queues.ts'

/**
 * The orders of a job, or of groups that have joined it. Times are in ms; `signal` aborts when the
 * worker is closed before it has finished.
 */
export type OrderGroup = Omit<GroupData, 'subjects'> & {
  /** The orders' lookup ids by `OrderId`, if the job has them. */
  subjects?: ReadonlyMap<OrderId, LookupIds>
  jobId: string
  shard: number
  /**
   * When a worker could first take them: a delayed job waits until then. By the ingress's clock.
   */
  dueAt: number
  takenAt: number
  /** 1 for the job's first run. */
  attempt: number
  /** How often a worker died while it ran the job. */
  stalled: number
  /** They have joined the job: its own data does not name them. */
  joined: boolean
  /** The groups in it whose orders were counted by their claims. */
  counted?: CountedGroup[]
  /** For who concludes all its orders in one step. */
  roundEnd?: Pick<RoundEnd, 'args' | 'note'> | undefined
  signal: AbortSignal
}

// Another worker takes over a killed worker's job once its lock has expired and two stall checks
// have seen that: within LOCK_MS + 2 × STALL_CHECK_MS. With BullMQ's defaults of 30 s each, orders
// would stay undecided for a minute and a half.
export const LOCK_MS = 4_000
export const STALL_CHECK_MS = 1_500

/**
 * How long an idle worker blocks in one call (s). BullMQ aborts a call that is a second late, so a
 * silent connection delays an order by a second and a half at most. Other commands on the
 * connection wait for the blocking call: it must be short enough not to miss the heartbeat
 * (heartbeat.ts).
 */
const IDLE_S = 0.5

/** BullMQ's own worker blocks for as long as the next job is delayed, up to 10 s. */
class ShortPollWorker extends Worker {
  override get maximumBlockTimeout(): number {
    return IDLE_S
  }
}

/** BullMQ never removes a job because its workers died: isolation in the worker handles that. */
const STALLED_MAX = 1_000_000

export type GroupWorkerOptions = {
  shards: number
  /** Groups processed at once, for each shard. */
  concurrency: number
  /** Called each time a connection by which groups are taken is lost. */
  onLost?: () => void
  onError: (error: Error) => void
}

/** Processes the groups of all shards until it is closed. */
export class GroupWorker {
  readonly #workers: Worker[]
  readonly #connections: RedisConnection[]
  readonly #firstJoined: FirstJoined[]
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
    // A job that waits takes up one of those that may run at once: of one job, none may wait.
    this.#firstJoined = Array.from(
      { length: options.concurrency > 1 ? options.shards : 0 },
      (_, shard) => new FirstJoined(address, shard, options.onError),
    )
    this.#workers = Array.from({ length: options.shards }, (_, shard) => {
      const connection = connect(address, 'patient')
      connection.on('error', options.onError)
      onConnectionLost(connection, options.onLost ?? (() => {}))
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
      const what = `job ${job.id} is of a newer version or damaged: its orders are requeued`
      const error = new UnrecoverableError(what)
      this.#onError(error)
      throw error
    }
    const jobId = job.id ?? ''
    const groupOf = (
      { subjects, ...group }: GroupData,
      dueAt: number,
      { joined, roundEnd }: Pick<OrderGroup, 'joined' | 'roundEnd'>,
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
      roundEnd,
      signal: this.#ending.signal,
    })
    const { v: _, ...ownGroup } = data.data
    const named = new Set(ownGroup.orderIds)
    await workInRounds({
      connection,
      shard,
      jobId,
      own: (roundEnd) =>
        process(
          groupOf(ownGroup, job.timestamp + (job.opts.delay ?? 0), { joined: false, roundEnd }),
        ),
      joined: (groups, roundEnd) =>
        process({
          ...groupOf(...mergeGroups(groups, named), { joined: true, roundEnd }),
          counted: groups.filter(isCounted),
        }),
      onUnreadable: this.#onError,
      open: () => !this.#closing,
      firstJoined: this.#firstJoined[shard],
    })
  }

  /** Whether every shard's worker takes jobs. */
  get isRunning(): boolean {
    return this.#workers.every((worker) => worker.isRunning() && !worker.isPaused())
  }

  /**
   * Takes no more groups and waits for those in flight, for `withinMs` at most. The rest is left to
   * another worker, as after a kill.
   */
  async close(withinMs: number): Promise<void> {
    this.#closing = true
    for (const firstJoined of this.#firstJoined) firstJoined.close()
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

/** A group may hold an order twice: the first one was claimed. */
function subjectsById(orderIds: OrderId[], subjects: string[][]): Map<OrderId, LookupIds> {
  const byId = new Map<OrderId, LookupIds>()
  for (const [i, orderId] of orderIds.entries()) {
    const ids = lookupIdsFrom(subjects[i] ?? [])
    if (ids !== undefined && !byId.has(orderId)) byId.set(orderId, ids)
  }
  return byId
}

type CountedGroup = JoiningGroup & { counted: Counted }

/** Whether its claim has counted its orders. */
export const isCounted = (group: JoiningGroup): group is CountedGroup => group.counted !== undefined

/**
 * Merges groups into one, with the time at which the first of them could be taken (ms). Leaves out
 * orders that the job has named before: the lookup ids of a repeat need not be those of the claimed
 * order.
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
