import { z } from 'zod'
import { OrderId, openKey, openWalkKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'

/** Younger orders than this (ms) are on their way; older ones may have lost their job. */
const AGE_MS = 5_000

/** Orders of one page: reading it, and which jobs they name, holds Redis up for half a millisecond. */
const PAGE_ORDERS = 500

/** Once all were looked at, nobody begins again before this time (ms), however many workers there are. */
const PAUSE_MS = 3_000

/** Some open orders; `more`: there are others after them. */
export type OpenPage = { orderIds: OrderId[]; more: boolean }

/** A way through the open orders of each shard, oldest first, that all workers share: each is given another page. */
export class OpenWalk {
  readonly #nextOpen = new Script('next-open')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** The page after the one that was given last, to whomever that was. What was open all the time is on one of them. */
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
