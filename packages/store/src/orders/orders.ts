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

/** A payment order as it is kept, for ever. `outcome` is absent while it is open. Times are in ms. */
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

/** An order given another job: it is taken from the job it names now and given to `to`. */
export type Reassignment = { orderId: OrderId; from: string; to: string }

const fields = [
  'request',
  'client',
  'paymentRequestId',
  'claimedAt',
  'job',
  'outcome',
  'concludedAt',
] as const

/** The records of payment orders, and what is announced of them. */
export class Orders {
  readonly #records = new Script('records')
  readonly #conclude = new Script('conclude')
  readonly #reassign = new Script('reassign')
  readonly #jobs = new Script('jobs')
  readonly #connection: RedisConnection
  readonly #shards: number
  readonly #announcements: Announcements | undefined

  /** `announcements`: only an ingress waits for outcomes. */
  constructor(connection: RedisConnection, shards: number, announcements?: Announcements) {
    this.#connection = connection
    this.#shards = shards
    this.#announcements = announcements
  }

  /**
   * Runs `body` while what is announced of this order is listened for. The promise it is given resolves with the first
   * outcome or code announced, and rejects with the reason of `signal`.
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
    const forget = this.#announcements?.listen(orderId, announced.resolve)
    try {
      return await body(announced.promise)
    } finally {
      forget?.()
      signal.removeEventListener('abort', late)
    }
  }

  /** What stands in the record of an order; undefined if it was never claimed. */
  async record(orderId: OrderId): Promise<OrderRecord | undefined> {
    const [record] = await this.records(this.#shardOf(orderId), [orderId])
    if (record instanceof Error) throw record
    return record
  }

  /**
   * The records of orders of one shard, in one round trip and the same order; undefined for those never claimed, an
   * Error for one that cannot be read: it is nobody else's.
   */
  async records(shard: number, orderIds: OrderId[]): Promise<(OrderRecord | Error | undefined)[]> {
    if (orderIds.length === 0) return []
    const keys = orderIds.map((orderId) => orderKey(shard, orderId))
    const replies = Replies.parse(await this.#records.run(this.#connection, keys, [...fields]))
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

  /** When an open order was claimed (ms); undefined of any other. Its record is not read. */
  async claimedAt(orderId: OrderId): Promise<number | undefined> {
    const claimedAt = await this.#connection.zscore(openKey(this.#shardOf(orderId)), orderId)
    return claimedAt === null ? undefined : Number(claimedAt)
  }

  /**
   * When orders of one shard were claimed by the clock of their ingress (ms), of those whose ingress's clock was ahead of Redis's;
   * whatever else is wrong with their records.
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
   * Gives orders of one shard their outcomes and announces them. Resolves with the codes of those that stand: the first ones
   * ever given; undefined for an order that was never claimed, an Error for an outcome that this version cannot read.
   */
  async concludeAll(
    shard: number,
    outcomes: { orderId: OrderId; outcome: Outcome | undefined }[],
  ): Promise<ConcludedCodes> {
    if (outcomes.length === 0) return []
    const records = outcomes.map(({ orderId }) => orderKey(shard, orderId))
    const keys = [...concludeKeys(shard), ...records]
    const args = outcomes.flatMap(({ orderId, outcome = '' }) => [orderId, outcome])
    return ConcludedCodes.parse(await this.#conclude.run(this.#connection, keys, args))
  }

  /**
   * Makes other jobs answerable for open orders of one shard, unless another job has become so meanwhile. With
   * `announce`, those who wait are told that code and wait no longer. Resolves with those that were given over.
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
    const given = Given.parse(reply)
    return orders.filter((_, i) => given[i] === 1)
  }

  /** The orderIds of a shard's open orders claimed before `before` (ms), oldest first, `max` at most. */
  async open(shard: number, before: number, max: number): Promise<OrderId[]> {
    return OrderIds.parse(
      await this.#connection.zrangebyscore(openKey(shard), '-inf', before, 'LIMIT', 0, max),
    )
  }

  /** The jobs that orders of a shard name as answerable for them; undefined for those whose record says none, or is no record. */
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

  /** Remembers that an order was given up at `at` (ms), for an operator to look at; the newest 10,000 of a shard. */
  async noteAbandoned(orderId: OrderId, at: number): Promise<void> {
    const key = abandonedKey(this.#shardOf(orderId))
    await this.#connection.pipeline().zadd(key, at, orderId).zremrangebyrank(key, 0, -10_001).exec()
  }

  /** The orders of a shard that were given up and when (ms), newest first, `max` at most. */
  async listAbandoned(shard: number, max: number): Promise<{ orderId: OrderId; at: number }[]> {
    const words = await this.#connection.zrevrange(abandonedKey(shard), 0, max - 1, 'WITHSCORES')
    return words.flatMap((word, i) =>
      i % 2 === 0 ? [{ orderId: OrderId.parse(word), at: Number(words[i + 1]) }] : [],
    )
  }

  /** When an order was given up (ms), if it was; known of the newest 10,000 of a shard. */
  async abandonedAt(orderId: OrderId): Promise<number | undefined> {
    const at = await this.#connection.zscore(abandonedKey(this.#shardOf(orderId)), orderId)
    return at === null ? undefined : Number(at)
  }

  #shardOf(orderId: OrderId): number {
    return shardOf(orderId, this.#shards)
  }
}

/** The codes of the outcomes that stand; undefined where none does, an Error for one that cannot be read. */
export type ConcludedCodes = z.output<typeof ConcludedCodes>

/**
 * What the scripts answer: the outcome that stands of each order, '' if there is none; whether each
 * was given over.
 */
export const ConcludedCodes = z.array(
  z.string().transform((text) => (text === '' ? undefined : (codeIn(text) ?? unreadableOutcome()))),
)
const Given = z.array(z.coerce.number())

const OrderIds = z.array(OrderId)
const Jobs = z.array(z.string().transform((job) => job || undefined))

/** What HMGET gives for `fields`. Fields that an older version did not write are null. */
const Fields = z.array(z.string().nullable()).length(fields.length)
const Replies = z.array(Fields)

function recordOf(
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
