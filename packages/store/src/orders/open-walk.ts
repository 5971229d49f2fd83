import { z } from 'zod'
import { OrderId, openKey, openWalkKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/** Orders younger than this (ms) may not have their job yet; older ones may have lost it. */
const AGE_MS = 5_000

/**
 * Orders of a page: reading it, and the jobs that they name, blocks Redis for half a millisecond.
 */
const PAGE_ORDERS = 500

/** The pause after a walk (ms), however many workers there are. */
const PAUSE_MS = 3_000

/** Some open orders; `more`: there are more pages. */
export type OpenPage = { orderIds: OrderId[]; more: boolean }

/**
 * A walk through the open orders of each shard, oldest first, shared by all workers: each gets
 * another page.
 */
export class OpenWalk {
  readonly #nextOpen = new Script('next-open')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * The page after the last one that any worker got. An order that stays open is on one page of
   * each walk.
   */
  async next(shard: number): Promise<OpenPage> {
    const reply = await this.#nextOpen.run(
      this.#connection,
      [openKey(shard), openWalkKey(shard)],
      [AGE_MS, PAGE_ORDERS, PAUSE_MS],
    )
    const [more, ...orderIds] = Reply.parse(reply)
    return { orderIds, more: more === 1 }
  }
}

const Reply = z.tuple([z.number()], OrderId)
