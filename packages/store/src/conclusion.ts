import { Cluster } from 'ioredis'
import { z } from 'zod'
import { openKey, orderKey } from './keys.ts'
import { type Orders, Standing } from './orders.ts'
import type { Connection } from './redis.ts'
import { Script } from './script.ts'
import { Decided, type Judged, minuteOf, type RedisTime, type Usage } from './usage.ts'

/**
 * Decides orders and concludes them. Where one node keeps all keys it is one step, and one sync; on a Cluster, where decisions
 * and orders may be on different nodes, it is two, which both may run again.
 */
export class Conclusion {
  readonly #script = new Script('decide-and-conclude', ['reserve', 'conclude'])
  readonly #connection: Connection
  readonly #usage: Usage
  readonly #orders: Orders
  readonly #oneNode: boolean

  /** `oneNode`: it keeps all keys. */
  constructor(
    connection: Connection,
    usage: Usage,
    orders: Orders,
    oneNode = !(connection instanceof Cluster),
  ) {
    this.#connection = connection
    this.#usage = usage
    this.#orders = orders
    this.#oneNode = oneNode
  }

  /**
   * Concludes orders of one shard as they were judged, or as they were decided before. Resolves with the outcomes that stand;
   * undefined for an order that was never claimed.
   *
   * @param openAt what `Usage.time` said before the orders were seen open
   * @throws TooLate when that is longer than a minute ago
   */
  async conclude(shard: number, judged: Judged[], openAt: RedisTime): Promise<Standing> {
    const [minute, ...others] = new Set(judged.map(({ claimedAt }) => minuteOf(claimedAt)))
    if (minute === undefined) return []
    if (others.length > 0 || !this.#oneNode) return this.#inTwo(shard, judged, openAt)
    const { keys, args } = this.#usage.decision(minute, judged, openAt)
    const orderIds = judged.map(({ orderId }) => orderId)
    const all = [...keys, openKey(shard), ...orderIds.map((orderId) => orderKey(shard, orderId))]
    const reply = await this.#script.run(this.#connection, all, [keys.length, ...args, ...orderIds])
    const [decided, standing] = Reply.parse(reply)
    this.#usage.decided(decided)
    return standing
  }

  async #inTwo(shard: number, judged: Judged[], openAt: RedisTime): Promise<Standing> {
    const decided = await this.#usage.decide(judged, openAt)
    const outcomes = judged.map(({ orderId, judged }, i) => ({
      orderId,
      outcome: decided[i] ?? judged,
    }))
    return this.#orders.concludeAll(shard, outcomes)
  }
}

const Reply = z.tuple([Decided, Standing])
