import { randomUUID } from 'node:crypto'
import { deferredKey, jobKey, type OrderId, openKey } from '../keys.ts'
import type { Orders } from '../orders/orders.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { deferredListOf } from './deferral.ts'
import type { Queues } from './queues.ts'

/** An open order and the job that its record names; `trace` moves with it to its next job. */
export type OrderInJob = {
  orderId: OrderId
  jobId: string | undefined
  trace?: string | undefined
}

/**
 * Makes sure that each open order is in some job. All of it may run twice, or in two places at
 * once.
 */
export class Requeue {
  readonly #connection: RedisConnection
  readonly #orders: Orders
  readonly #queues: Queues
  readonly #onFault: (error: unknown, what: string) => void

  constructor(
    connection: RedisConnection,
    orders: Orders,
    queues: Queues,
    onFault: (error: unknown, what: string) => void,
  ) {
    this.#connection = connection
    this.#orders = orders
    this.#queues = queues
    this.#onFault = onFault
  }

  /**
   * Requeues the orders whose job does not exist any more, each in a job of its own: if one of them
   * has crashed their job, it cannot crash the others again. Resolves with the orderIds of those.
   */
  async requeueLost(shard: number, orders: OrderInJob[]): Promise<OrderId[]> {
    if (orders.length === 0) return []
    const pipeline = this.#connection.pipeline()
    for (const { orderId, jobId = '' } of orders) {
      const list = deferredListOf(jobId)
      if (list === undefined) pipeline.exists(jobKey(shard, jobId))
      else pipeline.zscore(deferredKey(shard, list), orderId)
    }
    const replies = (await pipeline.exec()) ?? []
    const lost = orders.filter((_, i) => replies[i]?.[1] === 0 || replies[i]?.[1] === null)
    return this.requeueNow(shard, lost, 'm')
  }

  /** As `requeueLost`, for open orders whose jobs are not known yet. */
  async requeueOpen(shard: number, orderIds: OrderId[]): Promise<OrderId[]> {
    if (orderIds.length === 0) return []
    const jobIds = await this.#orders.jobsOf(shard, orderIds)
    const named = orderIds.map((orderId, i) => ({ orderId, jobId: jobIds[i] }))
    const [known, unknown] = [
      named.filter(({ jobId }) => jobId !== undefined),
      named.filter(({ jobId }) => jobId === undefined),
    ]
    await this.#reportOpen(
      shard,
      unknown.map(({ orderId }) => orderId),
    )
    return this.requeueLost(shard, known)
  }

  /**
   * Of orders that name no job most have been concluded meanwhile. What is open is left to who can
   * read it.
   */
  async #reportOpen(shard: number, orderIds: OrderId[]): Promise<void> {
    if (orderIds.length === 0) return
    const open = await this.#connection.zmscore(openKey(shard), ...orderIds)
    const first = orderIds.find((_, i) => open[i] !== null)
    if (first === undefined) return
    const error = new Error(`the record of ${first} is of a newer version, or damaged`)
    this.#onFault(error, 'an open order names no job, and is not requeued here')
  }

  /**
   * Moves orders out of their group, each to a job of its own that runs after `delayMs`. Announces
   * UNKNOWN_EXCEPTION to those who wait for them, so that nobody waits in vain.
   */
  async postpone(shard: number, orders: OrderInJob[], delayMs: number): Promise<OrderId[]> {
    return this.requeueNow(shard, orders, 'r', { delayMs, announce: 'UNKNOWN_EXCEPTION' })
  }

  /**
   * Moves orders to new jobs of their own, whether or not their jobs exist. Resolves with the
   * orderIds of those that were moved. `kind` begins the new jobs' ids: `m` for requeued, `r` for
   * retried, `o` for an operator's.
   */
  async requeueNow(
    shard: number,
    orders: OrderInJob[],
    kind: 'm' | 'r' | 'o',
    { delayMs = 0, announce }: { delayMs?: number; announce?: 'UNKNOWN_EXCEPTION' } = {},
  ): Promise<OrderId[]> {
    const reassigned = orders.map(({ orderId, jobId = '' }) => ({
      orderId,
      from: jobId,
      to: `${kind}-${randomUUID()}`,
    }))
    const moved = await this.#orders.reassign(shard, reassigned, announce)
    const traces = new Map(orders.map(({ orderId, trace }) => [orderId, trace]))
    await Promise.all(
      moved.map(({ orderId, to }) => {
        const trace = traces.get(orderId)
        const traced = trace === undefined ? {} : { traces: { [orderId]: trace } }
        return this.#queues.enqueue(shard, to, { orderIds: [orderId], ...traced }, delayMs)
      }),
    )
    return moved.map(({ orderId }) => orderId)
  }
}
