import assert from 'node:assert/strict'
import { z } from 'zod'
import { archiveKey, forgottenKey, type OrderId, orderKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { FilterLists, type ListedFilters } from './filter-lists.ts'
import { BITS, bitsOf, type Filter } from './filters.ts'

/** So many orders are entered in one call of the script, in some 1 ms. */
const CALL_ORDERS_MAX = 100

/** So often the lists are read again because others have changed them. */
const CHANGES_MAX = 10

/**
 * Makes a shard's filters anew while orders are claimed and forgotten: begin, enter every archived
 * order, swap. A rebuild that was not ended is begun anew.
 */
export class Rebuilding {
  readonly #refill = new Script('refill')
  readonly #endRebuild = new Script('end-rebuild')
  readonly #connection: RedisConnection
  readonly #lists: FilterLists

  /** `firstBytes`: the length of a shard's first filter, for tests. */
  constructor(connection: RedisConnection, firstBytes?: number) {
    this.#connection = connection
    this.#lists = new FilterLists(connection, firstBytes)
  }

  /** Begins with an empty filter for so many orders. From now on, two lists are filled. */
  async begin(shard: number, orders: number): Promise<void> {
    for (let change = 0; change < CHANGES_MAX; change += 1) {
      await this.drop(shard)
      const listed = await this.#lists.listed(shard)
      if (await this.#lists.add(shard, 'rebuilt', listed, orders)) return
    }
    throw changing(shard)
  }

  /** Drops the filters of a rebuild that was not ended, if there is one. */
  async drop(shard: number): Promise<void> {
    for (let change = 0; change < CHANGES_MAX; change += 1) {
      const listed = await this.#lists.listed(shard)
      if (listed.rebuilt.length === 0) return
      if (await this.#end(shard, listed, 'DROP', listed.rebuilt)) return
    }
    throw changing(shard)
  }

  /** Whether a rebuild was begun, and not ended. */
  async isBegun(shard: number): Promise<boolean> {
    return (await this.#lists.listed(shard)).rebuilt.length > 0
  }

  /** Enters archived orders that Redis has no record of. May run again. */
  async enter(shard: number, orderIds: OrderId[]): Promise<number> {
    let entered = 0
    for (let at = 0; at < orderIds.length; at += CALL_ORDERS_MAX)
      entered += await this.#enterPart(shard, orderIds.slice(at, at + CALL_ORDERS_MAX))
    return entered
  }

  async #enterPart(shard: number, orderIds: OrderId[]): Promise<number> {
    for (let change = 0; change < CHANGES_MAX; change += 1) {
      const { generation, rebuilt } = await this.#lists.withRoom(shard, orderIds.length)
      const filter = rebuilt.at(-1)
      assert(filter !== undefined, 'a rebuild was begun, and nobody has ended it')
      const keys = [
        archiveKey(shard),
        forgottenKey(shard, filter.n),
        ...orderIds.map((orderId) => orderKey(shard, orderId)),
      ]
      const bits = orderIds.flatMap((orderId) => bitsOf(orderId, filter.bytes))
      const reply = await this.#refill.run(this.#connection, keys, [generation, BITS, ...bits])
      const entered = z.number().parse(reply)
      if (entered >= 0) return entered
    }
    throw changing(shard)
  }

  /** Has claims ask the new filters from now on, and drops the old ones. */
  async swap(shard: number): Promise<void> {
    for (let change = 0; change < CHANGES_MAX; change += 1) {
      const listed = await this.#lists.listed(shard)
      assert(listed.rebuilt.length > 0, 'a rebuild was begun, and nobody has ended it')
      if (await this.#end(shard, listed, 'SWAP', listed.filters)) return
    }
    throw changing(shard)
  }

  async #end(
    shard: number,
    { generation }: ListedFilters,
    how: 'SWAP' | 'DROP',
    unneeded: Filter[],
  ): Promise<boolean> {
    const keys = [archiveKey(shard), ...unneeded.map(({ n }) => forgottenKey(shard, n))]
    return (await this.#endRebuild.run(this.#connection, keys, [generation, how])) === 1
  }
}

const changing = (shard: number): Error =>
  new Error(`others change the filters of shard ${shard} all the time`)
