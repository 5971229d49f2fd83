import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { deferredKey, deferredListsKey, OrderId, orderKey, resumingKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import type { Queues } from './queues.ts'
import type { OrderInJob } from './requeue.ts'

/**
 * Orders that cannot be decided now wait on a list of their shard and are in no job. Their records
 * name the list in place of a job:
 *
 * - `later`: they are judged again after a pause, together.
 * - `check:<circuit>`: the circuit breaker of a check that they need is open. While it is, one of
 *   them is judged from time to time, as a probe; the others only when their time to be decided
 *   runs out. Once the circuit is closed they are all judged again, a bounded number at a time.
 * - `isolated`: a process died while it judged them. They are judged after a pause, each in a job
 *   of its own, in a process of its own.
 *
 * If a process dies while it defers or resumes orders, those that are on no list and in no job are
 * requeued like any other.
 */
export type DeferredList = 'later' | 'isolated' | `check:${string}`

/** The pause of an order on `later` or `isolated` is its age, within bounds (ms): pauses double. */
const PAUSE_MS_MIN = 500
const PAUSE_MS_MAX = { later: 30_000, isolated: 120_000 }

/** How often one of the workers resumes orders of a shard (ms). */
export const RESUME_MS = 400

/** How many orders of a shard are resumed at once, of all lists: new orders must not be delayed. */
const RESUMED_MAX = 512

/** How many resumed orders share a job: as many as a group of new orders at most. */
const JOB_ORDERS_MAX = 128

/** While this many jobs wait for a worker, only as many orders are resumed as one job takes. */
const JOBS_WAITING_MAX = 16

/** What the record of an order on a list names in place of a job. No job's id begins so. */
const PREFIX = 'deferred:'
const nameOf = (list: string): string => `${PREFIX}${list}`

/** The list that a record names; undefined if it names a job. */
export const deferredListOf = (jobId: string): string | undefined =>
  jobId.startsWith(PREFIX) ? jobId.slice(PREFIX.length) : undefined

export type ResumeOptions = {
  /** How long after its claim an order may stay undecided (ms). */
  decideWithinMs: number
  isOpen: (circuit: string) => boolean
}

/**
 * Defers and resumes orders that cannot be decided now. All of it may run twice, or in two places
 * at once.
 */
export class Deferral {
  readonly #defer = new Script('defer')
  readonly #due = new Script('due')
  readonly #resume = new Script('resume')
  readonly #connection: RedisConnection
  readonly #queues: Queues

  constructor(connection: RedisConnection, queues: Queues) {
    this.#connection = connection
    this.#queues = queues
  }

  /**
   * Defers the orders that still name their given job. Announces UNKNOWN_EXCEPTION to those who
   * wait for them, so that nobody waits in vain. Resolves with the orderIds of the deferred ones.
   */
  async defer(
    shard: number,
    list: DeferredList,
    orders: OrderInJob[],
    decideWithinMs: number,
  ): Promise<OrderId[]> {
    if (orders.length === 0) return []
    const keys = orders.map(({ orderId }) => orderKey(shard, orderId))
    const args = orders.flatMap(({ orderId, jobId = '', trace = '' }) => [orderId, jobId, trace])
    const reply = await this.#defer.run(
      this.#connection,
      [deferredKey(shard, list), deferredListsKey(shard), ...keys],
      [
        list,
        nameOf(list),
        ...pausesOf(list, decideWithinMs),
        decideWithinMs,
        'UNKNOWN_EXCEPTION',
        ...args,
      ],
    )
    const deferred = z.array(z.number()).parse(reply)
    return orders.flatMap(({ orderId }, i) => (deferred[i] === 1 ? [orderId] : []))
  }

  /**
   * Enqueues the orders of a shard that may be judged again, unless another worker has just done
   * so.
   */
  async resume(shard: number, resuming: ResumeOptions): Promise<void> {
    const lists = await this.#connection.smembers(deferredListsKey(shard))
    if (lists.length === 0) return
    const first = await this.#connection.set(resumingKey(shard), 1, 'PX', RESUME_MS, 'NX')
    if (first === null) return
    const waiting = await this.#queues.queue(shard).getWaitingCount()
    let left = waiting < JOBS_WAITING_MAX ? RESUMED_MAX : JOB_ORDERS_MAX
    for (const list of lists.toSorted(() => Math.random() - 0.5)) {
      const orderIds = await this.#next(shard, list, left, resuming)
      left -= orderIds.length
      const size = list === 'isolated' ? 1 : JOB_ORDERS_MAX
      for (let at = 0; at < orderIds.length; at += size)
        await this.#moveToJob(shard, list, orderIds.slice(at, at + size))
      if (left <= 0) return
    }
  }

  /** When an order on a list is due at the latest (ms); undefined if it is not on the list. */
  async dueAt(shard: number, list: string, orderId: OrderId): Promise<number | undefined> {
    const due = await this.#connection.zscore(deferredKey(shard, list), orderId)
    return due === null ? undefined : Number(due)
  }

  async #next(
    shard: number,
    list: string,
    max: number,
    { decideWithinMs, isOpen }: ResumeOptions,
  ): Promise<OrderId[]> {
    const key = deferredKey(shard, list)
    const circuit = /^check:(.*)$/s.exec(list)?.[1]
    if (circuit !== undefined && !isOpen(circuit))
      return OrderIds.parse(await this.#connection.zrange(key, '0', String(max - 1)))
    const [, longest] = pausesOf(list, decideWithinMs)
    const due = OrderIds.parse(await this.#due.run(this.#connection, [key], [max, longest]))
    if (circuit === undefined || due.length > 0) return due
    // A random one: the check may fail for the oldest alone.
    const probe = await this.#connection.zrandmember(key)
    return typeof probe === 'string' ? [OrderId.parse(probe)] : []
  }

  async #moveToJob(shard: number, list: string, orderIds: OrderId[]): Promise<void> {
    const jobId = `r-${randomUUID()}`
    const keys = [deferredKey(shard, list), deferredListsKey(shard)]
    const reply = await this.#resume.run(
      this.#connection,
      [...keys, ...orderIds.map((orderId) => orderKey(shard, orderId))],
      [list, nameOf(list), jobId, ...orderIds],
    )
    const traces = z.array(z.string().nullable()).parse(reply)
    const moved = orderIds.filter((_, i) => traces[i] !== null)
    const traced = orderIds.flatMap((orderId, i) =>
      traces[i] ? [[orderId, traces[i]] as const] : [],
    )
    if (moved.length === 0) return
    await this.#queues.enqueue(shard, jobId, {
      orderIds: moved,
      ...(traced.length > 0 ? { traces: Object.fromEntries(traced) } : {}),
      ...(list === 'isolated' ? { isolated: true } : {}),
    })
  }
}

const OrderIds = z.array(OrderId)

/** The shortest and the longest pause of orders on a list (ms). */
function pausesOf(list: string, decideWithinMs: number): [least: number, most: number] {
  if (list === 'later' || list === 'isolated') return [PAUSE_MS_MIN, PAUSE_MS_MAX[list]]
  return [decideWithinMs, decideWithinMs]
}
