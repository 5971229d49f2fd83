import {
  type FinalCode,
  type PlaceOrderRequest,
  type ResultCode,
  unpackRequest,
} from '@placeorder/protocol'
import { z } from 'zod'
import {
  abandonedKey,
  concludeKeys,
  namesOf,
  OrderId,
  openKey,
  orderKey,
  shardOf,
} from '../keys.ts'
import { codeIn, type Outcome, partsOf, readOutcome, unreadableOutcome } from '../outcome.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'
import type { Announcements } from './announcements.ts'
import { OutboxSwitch } from './outbox-switch.ts'

/** A stored payment order. `outcome` is undefined while it is open. Times are in ms. */
export type OrderRecord = {
  order: PlaceOrderRequest
  clientId: string
  paymentRequestId: string
  claimedAt: number
  jobId: string | undefined
  outcome: FinalCode | undefined
  passThroughInfo?: string | undefined
  concludedAt: number | undefined
}

/** Moves an order from the job that its record names to another. */
export type Reassignment = { orderId: OrderId; from: string; to: string }

/** The fields of a record that `recordOf` reads. */
export const recordFields = [
  'request',
  'client',
  'paymentRequestId',
  'claimedAt',
  'job',
  'outcome',
  'concludedAt',
] as const

/** The records of payment orders, and the announcements of their outcomes. */
export class Orders {
  readonly #records = new Script('records')
  readonly #conclude = new Script('conclude')
  readonly #reassign = new Script('reassign')
  readonly #jobs = new Script('jobs')
  readonly outboxSwitch: OutboxSwitch
  readonly #connection: RedisConnection
  readonly #shards: number
  readonly #announcements: Announcements | undefined

  /** `announcements`: for an ingress, which waits for outcomes. */
  constructor(connection: RedisConnection, shards: number, announcements?: Announcements) {
    this.outboxSwitch = new OutboxSwitch(connection)
    this.#connection = connection
    this.#shards = shards
    this.#announcements = announcements
  }

  /**
   * Runs `body` while listening for announcements of this order. The promise passed to it resolves
   * with the first announced outcome or code, and rejects with the reason of `signal`.
   */
  async during<T>(
    orderId: OrderId,
    signal: AbortSignal,
    body: (announced: Promise<ResultCode | Outcome>) => Promise<T>,
  ): Promise<T> {
    const announced = Promise.withResolvers<ResultCode | Outcome>()
    announced.promise.catch(() => {}) // `body` may return without ever awaiting it.
    const late = () => announced.reject(signal.reason)
    signal.addEventListener('abort', late, { once: true })
    const unlisten = this.#announcements?.listen(orderId, announced.resolve)
    try {
      return await body(announced.promise)
    } finally {
      unlisten?.()
      signal.removeEventListener('abort', late)
    }
  }

  /** The record of an order; undefined if it was never claimed. */
  async record(orderId: OrderId): Promise<OrderRecord | undefined> {
    const [record] = await this.records(this.#shardOf(orderId), [orderId])
    if (record instanceof Error) throw record
    return record
  }

  /**
   * The records of orders of one shard, in the same order and one round trip; undefined for those
   * that were never claimed. An unreadable record is an Error in its place, and does not fail the
   * others.
   */
  async records(shard: number, orderIds: OrderId[]): Promise<(OrderRecord | Error | undefined)[]> {
    if (orderIds.length === 0) return []
    const keys = orderIds.map((orderId) => orderKey(shard, orderId))
    const replies = Replies.parse(
      await this.#records.run(this.#connection, keys, [...recordFields]),
    )
    return orderIds.map((orderId, i) => readable(() => recordOf(orderId, replies[i] ?? [])))
  }

  /** The outcome of an order; undefined while it is open or if it was never claimed. */
  async outcomeOf(orderId: OrderId): Promise<Outcome | undefined> {
    const outcome = await this.#connection.hget(
      orderKey(this.#shardOf(orderId), orderId),
      'outcome',
    )
    return outcome ? readOutcome(outcome) : undefined
  }

  /** When an open order was claimed (ms); undefined for any other. Does not read its record. */
  async claimedAt(orderId: OrderId): Promise<number | undefined> {
    const claimedAt = await this.#connection.zscore(openKey(this.#shardOf(orderId)), orderId)
    return claimedAt === null ? undefined : Number(claimedAt)
  }

  /**
   * When orders of one shard were claimed by the clock of their ingress (ms), of those whose
   * ingress's clock was ahead of Redis's; whatever else is wrong with their records.
   */
  async sentAt(shard: number, orderIds: OrderId[]): Promise<Map<OrderId, number>> {
    if (orderIds.length === 0) return new Map()
    const pipeline = this.#connection.pipeline()
    for (const orderId of orderIds) pipeline.hget(orderKey(shard, orderId), 'sentAt')
    const replies = (await pipeline.exec()) ?? []
    return new Map(orderIds.map((orderId, i) => [orderId, Number(replies[i]?.[1] ?? 0)]))
  }

  /** Concludes one order; see `concludeAll`. */
  async conclude(orderId: OrderId, outcome: Outcome): Promise<FinalCode | undefined> {
    const [standing] = await this.concludeAll(this.#shardOf(orderId), [{ orderId, outcome }])
    if (standing instanceof Error) throw standing
    return standing
  }

  /**
   * Concludes orders of one shard and announces their outcomes. Resolves with the codes of the
   * outcomes that stand, which are the first ones; undefined for an order that was never claimed,
   * an Error for an outcome that this version cannot read.
   */
  async concludeAll(
    shard: number,
    outcomes: { orderId: OrderId; outcome: Outcome | undefined }[],
  ): Promise<ConcludedCodes> {
    if (outcomes.length === 0) return []
    const records = outcomes.map(({ orderId }) => orderKey(shard, orderId))
    const keys = [...concludeKeys(shard), ...records]
    const args = outcomes.flatMap(({ orderId, outcome = '' }) => [orderId, outcome])
    const appends = this.outboxSwitch.isOn(shard) ? 1 : ''
    const reply = await this.#conclude.run(this.#connection, keys, [...args, appends])
    return ConcludedCodes.parse(reply)
  }

  /**
   * Moves open orders of one shard to other jobs, unless they are in yet another job by now. With
   * `announce`, announces that code to those who wait, who then stop waiting. Resolves with the
   * orders that were moved.
   */
  async reassign(
    shard: number,
    orders: Reassignment[],
    announce?: 'UNKNOWN_EXCEPTION',
  ): Promise<Reassignment[]> {
    if (orders.length === 0) return []
    const keys = orders.map(({ orderId }) => orderKey(shard, orderId))
    const args = orders.flatMap(({ orderId, from, to }) => [orderId, from, to])
    const reply = await this.#reassign.run(this.#connection, keys, [announce ?? '', ...args])
    const moved = Moved.parse(reply)
    return orders.filter((_, i) => moved[i] === 1)
  }

  /**
   * The orderIds of a shard's open orders claimed before `before` (ms), oldest first, `max` at
   * most.
   */
  async open(shard: number, before: number, max: number): Promise<OrderId[]> {
    return OrderIds.parse(
      await this.#connection.zrangebyscore(openKey(shard), '-inf', before, 'LIMIT', 0, max),
    )
  }

  /** The jobs that orders' records name; undefined for those that name none or are not records. */
  async jobsOf(shard: number, orderIds: OrderId[]): Promise<(string | undefined)[]> {
    if (orderIds.length === 0) return []
    const keys = orderIds.map((orderId) => orderKey(shard, orderId))
    return Jobs.parse(await this.#jobs.run(this.#connection, keys, []))
  }

  /** How many orders are open in a shard, and the claim time of the oldest (ms). */
  async backlog(shard: number): Promise<{ open: number; oldest: number | undefined }> {
    const [[, oldest], open] = await Promise.all([
      this.#connection.zrangebyscore(openKey(shard), '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1),
      this.#connection.zcard(openKey(shard)),
    ])
    return { open, oldest: oldest === undefined ? undefined : Number(oldest) }
  }

  /**
   * Lists an order as abandoned at `at` (ms), for operators; the newest 10,000 of a shard are kept.
   */
  async noteAbandoned(orderId: OrderId, at: number): Promise<void> {
    const key = abandonedKey(this.#shardOf(orderId))
    await this.#connection.pipeline().zadd(key, at, orderId).zremrangebyrank(key, 0, -10_001).exec()
  }

  /** The abandoned orders of a shard with their times (ms), newest first, at most `max`. */
  async listAbandoned(shard: number, max: number): Promise<{ orderId: OrderId; at: number }[]> {
    const words = await this.#connection.zrevrange(abandonedKey(shard), 0, max - 1, 'WITHSCORES')
    return words.flatMap((word, i) =>
      i % 2 === 0 ? [{ orderId: OrderId.parse(word), at: Number(words[i + 1]) }] : [],
    )
  }

  /** When an order was abandoned (ms), if it was; known for the newest 10,000 of a shard. */
  async abandonedAt(orderId: OrderId): Promise<number | undefined> {
    const at = await this.#connection.zscore(abandonedKey(this.#shardOf(orderId)), orderId)
    return at === null ? undefined : Number(at)
  }

  #shardOf(orderId: OrderId): number {
    return shardOf(orderId, this.#shards)
  }
}

/**
 * The codes of the outcomes that stand; undefined where none does, an Error for one that cannot be
 * read.
 */
export type ConcludedCodes = z.output<typeof ConcludedCodes>

/** The reply of the script: for each order the outcome that stands, '' if none does. */
export const ConcludedCodes = z.array(
  z.string().transform((text) => (text === '' ? undefined : (codeIn(text) ?? unreadableOutcome()))),
)

/** The reply of the script: 1 for each order that was moved. */
const Moved = z.array(z.coerce.number())

const OrderIds = z.array(OrderId)
const Jobs = z.array(z.string().transform((job) => job || undefined))

/** The reply of HMGET for them. Fields that an older version did not write are null. */
export const Fields = z.array(z.string().nullable()).length(recordFields.length)
const Replies = z.array(Fields)

/** The record that these fields make; undefined without one. */
export function recordOf(
  orderId: OrderId,
  [request, ...rest]: z.output<typeof Fields>,
): OrderRecord | undefined {
  if (!request) return undefined
  const [clientId, paymentRequestId, claimedAt, jobId, outcome, concludedAt] = rest
  const kept = outcome ? partsOf(readOutcome(outcome)) : undefined
  return {
    order: unpackRequest(request, namesOf(orderId)),
    clientId: clientId ?? '',
    paymentRequestId: paymentRequestId ?? '',
    claimedAt: Number(claimedAt ?? 0),
    jobId: jobId ?? undefined,
    outcome: kept?.code,
    passThroughInfo: kept?.passThroughInfo,
    concludedAt: concludedAt ? Number(concludedAt) : undefined,
  }
}
