import { z } from 'zod'
import {
  abandonedKey,
  archiveKey,
  forgottenKey,
  type OrderId,
  orderKey,
  unarchivableKey,
} from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { FilterLists, filterLists, type ListedFilters } from './filter-lists.ts'
import { BITS, bitsOf, type Filter, readFilters } from './filters.ts'

/** What an order must agree in wherever it is kept. Times are in ms. */
export type OrderToCompare = {
  orderId: OrderId
  terms: string
  outcome: string
  paymentRequestId: string
  concludedAt: number
}

/** Orders of one shard that the archive has equal. */
export type OrdersToForget = {
  archiveId: string
  /** The version of the archive when it was compared. */
  version: number
  /** When all of them may be forgotten (ms, by Redis's clock). */
  dueAt: number
  orders: OrderToCompare[]
  /** The id of the outbox up to which all is forgotten with them; '' if that is not known. */
  to: string
  /** The one up to which all was forgotten when they were read. `to` is noted only after it. */
  from: string
}

/** How far a shard has come with forgetting. */
export type ForgettingState = {
  /** The id of the outbox up to which all is forgotten; undefined where nothing ever is. */
  forgottenTo: string | undefined
  /** The filters, the one that is written to last. */
  filters: Filter[]
  /** The highest version of the archive that forgotten orders were compared with. */
  forgottenVersion: number
}

/** Why orders were not forgotten. */
export const refusals = {
  OTHER: 'Redis copies to another archive, or to none',
  STALE: 'others change the filters all the time',
  BEHIND: 'the archive is older than it was',
  EARLY: 'it is too early',
  DAMAGED: 'a filter does not have its length: Redis was changed by hand',
  CHANGED: 'the archive has a record otherwise',
} as const
export type Refusal = keyof typeof refusals

/** Orders that were not forgotten: nothing was changed. */
export class NotForgotten extends Error {
  override readonly name = 'NotForgotten'
  readonly why: Refusal

  constructor(why: Refusal, shard: number) {
    super(`orders of shard ${shard} cannot be forgotten: ${refusals[why]}`)
    this.why = why
  }
}

/** So many orders are forgotten in one call of the script, in some 1 ms. */
const CALL_ORDERS_MAX = 100

/** So often the list of filters is read again because others have changed it. */
const STALE_MAX = 10

/** Forgets concluded orders that the archive has. */
export class Forgetting {
  readonly #forget = new Script('forget')
  readonly #records = new Script('records')
  readonly #connection: RedisConnection
  readonly #lists: FilterLists

  /** `firstBytes`: the length of a shard's first filter, for tests. */
  constructor(connection: RedisConnection, firstBytes?: number) {
    this.#connection = connection
    this.#lists = new FilterLists(connection, firstBytes)
  }

  /**
   * From now on a shard's outbox is kept until it is forgotten. May run again: what is known stays.
   */
  async switchOn(shard: number): Promise<void> {
    const key = archiveKey(shard)
    if ((await this.#connection.hexists(key, 'uuid')) === 1)
      await this.#connection.hsetnx(key, 'forgottenTo', '0-0')
  }

  async stateOf(shard: number): Promise<ForgettingState> {
    const [forgottenTo, filters, version] = await this.#connection.hmget(
      archiveKey(shard),
      'forgottenTo',
      'filters',
      'forgottenVersion',
    )
    return {
      forgottenTo: forgottenTo ?? undefined,
      filters: readFilters(filters ?? ''),
      forgottenVersion: Number(version ?? 0),
    }
  }

  /**
   * Notes that all that was appended up to an id is forgotten, and is in the archive from a version
   * on.
   */
  async noteForgotten(shard: number, { version, to }: { version: number; to: string }) {
    const key = archiveKey(shard)
    await this.#connection.hset(key, 'forgottenVersion', version)
    if ((await this.#connection.hexists(key, 'forgottenTo')) === 1)
      await this.#connection.hset(key, 'forgottenTo', to)
  }

  /**
   * What is compared of orders of one shard, in the same order; undefined for one without a record,
   * an Error for one that is not concluded or cannot be read.
   */
  async read(shard: number, orderIds: OrderId[]): Promise<(OrderToCompare | Error | undefined)[]> {
    if (orderIds.length === 0) return []
    const keys = orderIds.map((orderId) => orderKey(shard, orderId))
    const replies = Replies.parse(await this.#records.run(this.#connection, keys, [...compared]))
    return orderIds.map((orderId, i) => toCompare(orderId, replies[i] ?? []))
  }

  /**
   * Whether each of some orders of a shard may have been forgotten. One of 1,300 that were not
   * seems to be.
   */
  async mayHave(shard: number, orderIds: OrderId[]): Promise<boolean[]> {
    const { filters } = await this.stateOf(shard)
    const found = orderIds.map(() => false)
    if (orderIds.length === 0) return found
    for (const { n, bytes } of filters) {
      const gets = orderIds.flatMap((orderId) =>
        bitsOf(orderId, bytes).flatMap((bit) => ['GET', 'u1', bit]),
      )
      const bits = Bits.parse(
        await this.#connection.call('BITFIELD', forgottenKey(shard, n), ...gets),
      )
      for (const i of orderIds.keys())
        if (bits.slice(i * BITS, (i + 1) * BITS).every((bit) => bit === 1)) found[i] = true
    }
    return found
  }

  /**
   * Forgets orders, each once, and none that was set aside. May run again. Resolves with the number
   * of those that were not forgotten before.
   *
   * @throws NotForgotten
   */
  async forget(shard: number, { orders, to, ...compared }: OrdersToForget): Promise<number> {
    let forgotten = 0
    let at = 0
    do {
      const part = orders.slice(at, at + CALL_ORDERS_MAX)
      at += CALL_ORDERS_MAX
      const last = at >= orders.length
      forgotten += await this.#forgetPart(shard, { ...compared, orders: part, to: last ? to : '' })
    } while (at < orders.length)
    return forgotten
  }

  async #forgetPart(shard: number, part: OrdersToForget): Promise<number> {
    for (let attempt = 0; attempt < STALE_MAX; attempt += 1) {
      const listed = await this.#lists.withRoom(shard, part.orders.length)
      const reply = Forgotten.parse(await this.#forgetOnce(shard, part, listed))
      if (typeof reply === 'number') return reply
      if (reply !== 'STALE') throw new NotForgotten(reply, shard)
    }
    throw new NotForgotten('STALE', shard)
  }

  #forgetOnce(shard: number, part: OrdersToForget, listed: ListedFilters): Promise<unknown> {
    const written = filterLists.flatMap((list) => {
      const filter = listed[list].at(-1)
      return filter === undefined ? [] : [{ list, ...filter }]
    })
    const keys = [
      archiveKey(shard),
      abandonedKey(shard),
      unarchivableKey(shard),
      ...written.map(({ n }) => forgottenKey(shard, n)),
      ...part.orders.map(({ orderId }) => orderKey(shard, orderId)),
    ]
    return this.#forget.run(this.#connection, keys, [
      part.archiveId,
      listed.generation,
      part.version,
      part.dueAt,
      part.to,
      part.from,
      written.length,
      BITS,
      ...written.flatMap(({ list, bytes }) => [list, bytes]),
      ...part.orders.flatMap((order) => [
        order.orderId,
        ...compared.map((field) => order[field]),
        ...written.flatMap(({ bytes }) => bitsOf(order.orderId, bytes)),
      ]),
    ])
  }
}

const compared = ['terms', 'outcome', 'paymentRequestId', 'concludedAt'] as const
const Bits = z.array(z.number())
const Replies = z.array(z.array(z.string().nullable()))

function toCompare(orderId: OrderId, kept: (string | null)[]): OrderToCompare | Error | undefined {
  const [terms, outcome, paymentRequestId, concludedAt] = kept
  if (kept.length === 0) return new Error('there is something else in place of its record')
  if (!terms && !outcome && !paymentRequestId) return undefined
  if (!terms || !outcome || !paymentRequestId || !concludedAt)
    return new Error('its record is not concluded')
  return { orderId, terms, outcome, paymentRequestId, concludedAt: Number(concludedAt) }
}

/** The reply of the script: how many, or why none. */
const Forgotten = z.union([z.number(), z.enum(Object.keys(refusals) as [Refusal, ...Refusal[]])])
