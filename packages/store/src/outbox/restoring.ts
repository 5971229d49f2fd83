import assert from 'node:assert/strict'
import { z } from 'zod'
import { archiveKey, forgottenKey, openKey, orderKey, outboxKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { FilterLists, type ListedFilters } from './filter-lists.ts'
import { BITS, bitsOf } from './filters.ts'
import type { OrderToCompare } from './forgetting.ts'
import { Outbox } from './outbox.ts'
import type { OutboxEntry } from './stream-group.ts'

/** What was done to an order; see restore.lua. */
const Done = z.enum(['EQUAL', 'CONCLUDED', 'FORGOTTEN', 'DIFFERENT'])
export type Restored = z.output<typeof Done>
const Reply = z.array(z.string())

/** So many orders are restored in one call of the script, in some 1 ms. */
const CALL_ORDERS_MAX = 100

/** So often the list of filters is read again because others have changed it. */
const STALE_MAX = 10

/** Brings a Redis that is older than it was to the state that the archive has. */
export class Restoring {
  readonly #restore = new Script('restore')
  readonly #connection: RedisConnection
  readonly #lists: FilterLists

  /** `firstBytes`: the length of a shard's first filter, for tests. */
  constructor(connection: RedisConnection, firstBytes?: number) {
    this.#connection = connection
    this.#lists = new FilterLists(connection, firstBytes)
  }

  /**
   * Restores orders of one shard as they are archived; `version` of the archive has all of them.
   * Says of each what was done.
   */
  async restore(shard: number, orders: OrderToCompare[], version: number): Promise<Restored[]> {
    const done: Restored[] = []
    for (let at = 0; at < orders.length; at += CALL_ORDERS_MAX)
      done.push(...(await this.#part(shard, orders.slice(at, at + CALL_ORDERS_MAX), version)))
    return done
  }

  async #part(shard: number, orders: OrderToCompare[], version: number): Promise<Restored[]> {
    for (let attempt = 0; attempt < STALE_MAX; attempt += 1) {
      const listed = await this.#lists.withRoom(shard, orders.length)
      const reply = Reply.parse(await this.#once(shard, orders, version, listed))
      if (reply[0] !== 'STALE') return z.array(Done).parse(reply)
    }
    throw new Error(`others change the filters of shard ${shard} all the time`)
  }

  #once(
    shard: number,
    orders: OrderToCompare[],
    version: number,
    listed: ListedFilters,
  ): Promise<unknown> {
    const filter = listed.filters.at(-1)
    assert(filter !== undefined, 'there is a filter with room')
    const keys = [
      archiveKey(shard),
      openKey(shard),
      outboxKey(shard),
      forgottenKey(shard, filter.n),
      ...orders.map(({ orderId }) => orderKey(shard, orderId)),
    ]
    const args = orders.flatMap(({ orderId, terms, outcome, paymentRequestId, concludedAt }) => [
      ...[orderId, terms, outcome, paymentRequestId, concludedAt],
      ...bitsOf(orderId, filter.bytes),
    ])
    return this.#restore.run(this.#connection, keys, [listed.generation, BITS, version, ...args])
  }

  /**
   * Appends an entry without orders to a shard's outbox, after the id that the archive names: from
   * then on the archive names this one. Lists of filters that were read before are out of date.
   */
  async mark(shard: number, after: string | undefined): Promise<OutboxEntry> {
    const key = archiveKey(shard)
    const now = Date.now()
    const generation = Number((await this.#connection.hget(key, 'generation')) ?? 0)
    // Those who run may know a later generation than this Redis does. None changes every second.
    await this.#connection.hset(key, 'generation', Math.max(generation + 1, Math.ceil(now / 1_000)))
    const [ms = 0, n = 0] = (after ?? '').split('-').map(Number)
    const id = ms < now ? '*' : `${ms}-${n + 1}`
    const added = await this.#connection.xadd(outboxKey(shard), id, 'restored', '1')
    const entry = await new Outbox(this.#connection).entryAt(shard, added ?? '')
    assert(entry !== undefined, 'what was appended is there')
    return entry
  }
}
