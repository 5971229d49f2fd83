import { type PlaceOrderRequest, unpackRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { namesOf, type OrderId, orderKey } from '../keys.ts'
import { type Outcome, readOutcome } from '../outcome.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'

/** A concluded order with all that is kept of it. Times are in ms. */
export type ConcludedRecord = {
  orderId: OrderId
  order: PlaceOrderRequest
  /** The request as it is kept. */
  packed: string
  terms: string
  clientId: string
  paymentRequestId: string
  outcome: Outcome
  claimedAt: number
  concludedAt: number
}

const fields = [
  'terms',
  'request',
  'client',
  'paymentRequestId',
  'outcome',
  'claimedAt',
  'concludedAt',
] as const

/** Redis has no record of an order: it has forgotten it, or never had it. */
export class NoRecord extends Error {
  override readonly name = 'NoRecord'
}

/** The records of concluded orders, as they are archived. */
export class ConcludedRecords {
  readonly #records = new Script('records')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * The records of orders of one shard, in the same order; an Error for one that cannot be read or
   * is not concluded.
   */
  async read(shard: number, orderIds: OrderId[]): Promise<(ConcludedRecord | Error)[]> {
    if (orderIds.length === 0) return []
    const keys = orderIds.map((orderId) => orderKey(shard, orderId))
    const replies = Replies.parse(await this.#records.run(this.#connection, keys, [...fields]))
    return orderIds.map((orderId, i) => readable(() => recordOf(orderId, replies[i] ?? [])))
  }
}

const Replies = z.array(z.array(z.string().nullable()))

function recordOf(orderId: OrderId, kept: (string | null)[]): ConcludedRecord {
  const [terms, packed, clientId, paymentRequestId, outcome, claimedAt, concludedAt] = kept
  if (!terms || !packed) throw new NoRecord('there is no record of it')
  if (!outcome) throw new Error('its record is not concluded')
  return {
    orderId,
    order: unpackRequest(packed, namesOf(orderId)),
    packed,
    terms,
    clientId: clientId ?? '',
    paymentRequestId: paymentRequestId ?? '',
    outcome: readOutcome(outcome),
    claimedAt: timeOf(claimedAt),
    concludedAt: timeOf(concludedAt),
  }
}

/** A time that was written by Redis's clock (ms). */
function timeOf(text: string | null | undefined): number {
  if (!/^\d{1,15}$/.test(text ?? '')) throw new Error('a time of it is not a time')
  return Number(text)
}
