import {
  type FinalCode,
  finalCode,
  type PlaceOrderRequest,
  type ResultCode,
  unpackRequest,
} from '@placeorder/protocol'
import { z } from 'zod'
import type { Announcements } from './announcements.ts'
import { gaveUpKey, openKey, orderKey, shardOf } from './keys.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'

/** A payment order as it is kept, for ever. `outcome` is absent while it is open. Times are in ms. */
export type OrderRecord = {
  order: PlaceOrderRequest
  clientId: string
  paymentRequestId: string
  claimedAt: number
  jobId: string | undefined
  outcome: FinalCode | undefined
  concludedAt: number | undefined
}

/** An order given another job: it is taken from the job it names now and given to `to`. */
export type Entrusted = { paymentId: string; from: string; to: string }

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
  readonly #entrust = new Script('entrust')
  readonly #jobs = new Script('jobs')
  readonly #connection: Connection
  readonly #shards: number
  readonly #announcements: Announcements | undefined

  /** `announcements`: only an ingress waits for outcomes. */
  constructor(connection: Connection, shards: number, announcements?: Announcements) {
    this.#connection = connection
    this.#shards = shards
    this.#announcements = announcements
  }

  /**
   * Runs `body` while what is announced of this order is listened for. The promise it is given resolves with the first
   * code announced, and rejects with the reason of `signal`.
   */
  async during<T>(
    paymentId: string,
    signal: AbortSignal,
    body: (announced: Promise<ResultCode>) => Promise<T>,
  ): Promise<T> {
    const announced = Promise.withResolvers<ResultCode>()
    announced.promise.catch(() => {}) // `body` may return without ever awaiting it.
    const late = () => announced.reject(signal.reason)
    signal.addEventListener('abort', late, { once: true })
    const forget = this.#announcements?.listen(paymentId, announced.resolve)
    try {
      return await body(announced.promise)
    } finally {
      forget?.()
      signal.removeEventListener('abort', late)
    }
  }

  /** What stands in the record of an order; undefined if it was never claimed. */
  async record(paymentId: string): Promise<OrderRecord | undefined> {
    const [record] = await this.records(this.#shardOf(paymentId), [paymentId])
    if (record instanceof Error) throw record
    return record
  }

  /**
   * The records of orders of one shard, in one round trip and the same order; undefined for those never claimed, an
   * Error for one that cannot be read: it is nobody else's.
   */
  async records(shard: number, paymentIds: string[]): Promise<(OrderRecord | Error | undefined)[]> {
    if (paymentIds.length === 0) return []
    const keys = paymentIds.map((paymentId) => orderKey(shard, paymentId))
    const replies = Replies.parse(await this.#records.run(this.#connection, keys, [...fields]))
    return replies.map((reply, i) => readable(() => recordOf(paymentIds[i] ?? '', reply)))
  }

  /** The outcome of an order; undefined while it is open or if it was never claimed. */
  async outcomeOf(paymentId: string): Promise<FinalCode | undefined> {
    const outcome = await this.#connection.hget(
      orderKey(this.#shardOf(paymentId), paymentId),
      'outcome',
    )
    return outcome ? finalCode(outcome) : undefined
  }

  /** When an open order was claimed (ms); undefined of any other. Its record is not read. */
  async claimedAt(paymentId: string): Promise<number | undefined> {
    const claimedAt = await this.#connection.zscore(openKey(this.#shardOf(paymentId)), paymentId)
    return claimedAt === null ? undefined : Number(claimedAt)
  }

  /** Concludes one order; see `concludeAll`. */
  async conclude(paymentId: string, outcome: FinalCode): Promise<FinalCode | undefined> {
    const [standing] = await this.concludeAll(this.#shardOf(paymentId), [{ paymentId, outcome }])
    return standing
  }

  /**
   * Gives orders of one shard their outcomes and announces them. Resolves with the outcomes that stand: the first ones
   * ever given; undefined for an order that was never claimed.
   */
  async concludeAll(
    shard: number,
    outcomes: { paymentId: string; outcome: FinalCode }[],
  ): Promise<(FinalCode | undefined)[]> {
    if (outcomes.length === 0) return []
    const keys = [openKey(shard), ...outcomes.map(({ paymentId }) => orderKey(shard, paymentId))]
    const args = outcomes.flatMap(({ paymentId, outcome }) => [paymentId, outcome])
    return Standing.parse(await this.#conclude.run(this.#connection, keys, args))
  }

  /**
   * Makes other jobs answerable for open orders of one shard, unless another job has become so meanwhile. With
   * `announce`, those who wait are told that code and wait no longer. Resolves with those that were given over.
   */
  async entrust(
    shard: number,
    orders: Entrusted[],
    announce?: 'UNKNOWN_EXCEPTION',
  ): Promise<Entrusted[]> {
    if (orders.length === 0) return []
    const keys = orders.map(({ paymentId }) => orderKey(shard, paymentId))
    const args = orders.flatMap(({ paymentId, from, to }) => [paymentId, from, to])
    const reply = await this.#entrust.run(this.#connection, keys, [announce ?? '', ...args])
    const given = Given.parse(reply)
    return orders.filter((_, i) => given[i] === 1)
  }

  /** The paymentIds of a shard's open orders claimed before `before` (ms), oldest first, `max` at most. */
  async open(shard: number, before: number, max: number): Promise<string[]> {
    return this.#connection.zrangebyscore(openKey(shard), '-inf', before, 'LIMIT', 0, max)
  }

  /** The jobs that orders of a shard name as answerable for them; undefined for those whose record says none, or is no record. */
  async jobsOf(shard: number, paymentIds: string[]): Promise<(string | undefined)[]> {
    if (paymentIds.length === 0) return []
    const keys = paymentIds.map((paymentId) => orderKey(shard, paymentId))
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
  async gaveUp(paymentId: string, at: number): Promise<void> {
    const key = gaveUpKey(this.#shardOf(paymentId))
    await this.#connection
      .pipeline()
      .zadd(key, at, paymentId)
      .zremrangebyrank(key, 0, -10_001)
      .exec()
  }

  /** The orders of a shard that were given up and when (ms), newest first, `max` at most. */
  async givenUp(shard: number, max: number): Promise<{ paymentId: string; at: number }[]> {
    const words = await this.#connection.zrevrange(gaveUpKey(shard), 0, max - 1, 'WITHSCORES')
    return words.flatMap((paymentId, i) =>
      i % 2 === 0 ? [{ paymentId, at: Number(words[i + 1]) }] : [],
    )
  }

  /** When an order was given up (ms), if it was; known of the newest 10,000 of a shard. */
  async gaveUpAt(paymentId: string): Promise<number | undefined> {
    const at = await this.#connection.zscore(gaveUpKey(this.#shardOf(paymentId)), paymentId)
    return at === null ? undefined : Number(at)
  }

  #shardOf(paymentId: string): number {
    return shardOf(paymentId, this.#shards)
  }
}

/** What a record reads as; an Error for one that cannot be read: it is nobody else's. */
export function readable<T>(read: () => T): T | Error {
  try {
    return read()
  } catch (cause) {
    return new Error('what is kept cannot be read', { cause })
  }
}

/** The outcomes that stand; undefined for an order that was never claimed. */
export type Standing = z.output<typeof Standing>

/** What the scripts answer: the outcome that stands of each order, '' if there is none; whether each was given over. */
export const Standing = z.array(
  z.string().transform((outcome) => (outcome === '' ? undefined : finalCode(outcome))),
)
const Given = z.array(z.coerce.number())
const Jobs = z.array(z.string().transform((job) => job || undefined))

/** What HMGET gives for `fields`. Fields that an older version did not write are null. */
const Fields = z.array(z.string().nullable()).length(fields.length)
const Replies = z.array(Fields)

function recordOf(
  paymentId: string,
  [request, ...rest]: z.output<typeof Fields>,
): OrderRecord | undefined {
  if (!request) return undefined
  const [clientId, paymentRequestId, claimedAt, jobId, outcome, concludedAt] = rest
  return {
    order: unpackRequest(request, paymentId),
    clientId: clientId ?? '',
    paymentRequestId: paymentRequestId ?? '',
    claimedAt: Number(claimedAt ?? 0),
    jobId: jobId ?? undefined,
    outcome: outcome ? finalCode(outcome) : undefined,
    concludedAt: concludedAt ? Number(concludedAt) : undefined,
  }
}
