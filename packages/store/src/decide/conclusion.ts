import { Cluster } from 'ioredis'
import { z } from 'zod'
import { concludeKeys, orderKey } from '../keys.ts'
import { ConcludedCodes, type Orders } from '../orders/orders.ts'
import { unreadableOutcome } from '../outcome.ts'
import type { OrderGroup } from '../queue/group-worker.ts'
import { drainKeys } from '../queue/job-rounds.ts'
import type { RedisConnection } from '../redis/connection.ts'
import type { Durability } from '../redis/durability.ts'
import { Script } from '../redis/script.ts'
import {
  DecidedReply,
  type JudgedOrder,
  type LimitUsage,
  minuteOf,
  type RedisTime,
} from './limit-usage.ts'

/** The job that orders were judged in. */
type Job = Pick<OrderGroup, 'shard' | 'jobId'>

type Parts = {
  usage: LimitUsage
  orders: Orders
  durability: Pick<Durability, 'openIn' | 'decisionsReplicated'>
}

/**
 * Too few replicas have the orders or decisions: they would be lost with the master. The caller
 * tries again.
 */
export class NotReplicated extends Error {
  override readonly name = 'NotReplicated'
}

/**
 * Decides orders and concludes them. Where one node holds all keys this is one step, with one sync
 * of the append-only file. On a Cluster, where decisions and orders may be on different nodes, it
 * is two steps, and both may run again.
 *
 * Nothing is reserved for an order whose record was lost with a master: its repeat is a new order,
 * and would reserve again. The single step checks the record. Of the two steps, the replicas must
 * have the orders before the first one, and the decisions before the second.
 */
export class Conclusion {
  readonly #script = new Script('decide-and-conclude', ['reserve', 'conclude', 'drain-joined'])
  readonly #connection: RedisConnection
  readonly #parts: Parts
  readonly #oneNode: boolean

  /** `oneNode`: one node holds all keys. */
  constructor(
    connection: RedisConnection,
    parts: Parts,
    oneNode = !(connection instanceof Cluster),
  ) {
    this.#connection = connection
    this.#parts = parts
    this.#oneNode = oneNode
  }

  /**
   * Concludes orders as they were judged in a job, or as they were decided before. Resolves with
   * the codes of the outcomes that stand; undefined for an order that is not in the job any more,
   * an Error for an outcome that this version cannot read.
   *
   * @param openAsOf the result of `LimitUsage.time` before the orders were read as open
   * @param roundEnd if these are all orders of a round: then it may end in the same step
   * @throws TooLate if that is longer than a minute ago
   * @throws NotReplicated
   */
  async conclude(
    job: Job,
    judged: JudgedOrder[],
    openAsOf: RedisTime,
    roundEnd?: OrderGroup['roundEnd'],
  ): Promise<ConcludedCodes> {
    if (!this.#oneNode) return this.#cluster(job, judged, openAsOf)
    const byMinute = Map.groupBy(judged.entries(), ([, { claimedAt }]) => minuteOf(claimedAt))
    const standing: ConcludedCodes = []
    await Promise.all(
      [...byMinute].map(async ([minute, entries]) => {
        const theirs = await this.#singleNode(
          job,
          minute,
          entries.map(([, order]) => order),
          { openAsOf, roundEnd: byMinute.size === 1 ? roundEnd : undefined },
        )
        for (const [i, [position]] of entries.entries()) standing[position] = theirs[i]
      }),
    )
    return standing
  }

  async #singleNode(
    { shard, jobId }: Job,
    minute: number,
    judged: JudgedOrder[],
    { openAsOf, roundEnd }: { openAsOf: RedisTime; roundEnd: OrderGroup['roundEnd'] },
  ): Promise<ConcludedCodes> {
    const { keys, args } = this.#parts.usage.reserveCall(minute, judged, openAsOf)
    const records = judged.map(({ orderId }) => orderKey(shard, orderId))
    const drainArgs = roundEnd?.args
    const ending = drainArgs === undefined ? [] : drainKeys(shard, jobId)
    const all = [...keys, ...concludeKeys(shard), ...records, ...ending]
    const reply = await this.#script.run(this.#connection, all, [
      keys.length,
      ...args,
      jobId,
      this.#parts.orders.outboxSwitch.isOn(shard) ? 1 : '',
      drainArgs === undefined ? '' : 1,
      ...judged.flatMap(({ orderId, claimedAt }) => [orderId, claimedAt]),
      ...(drainArgs ?? []),
    ])
    const [decided, standing, drained] = Reply.parse(reply)
    this.#parts.usage.noteReply(decided)
    if (drainArgs !== undefined) roundEnd?.note(drained)
    return standing.map(
      (code, i) => code ?? (decided.outcomes[i] === UNREADABLE ? unreadableOutcome() : undefined),
    )
  }

  async #cluster(
    { shard, jobId }: Job,
    judged: JudgedOrder[],
    openAsOf: RedisTime,
  ): Promise<ConcludedCodes> {
    const { usage, orders, durability } = this.#parts
    const open = await Promise.all(judged.map(isOpen))
    const held = judged.filter((_, i) => open[i])
    const decided = await usage.decide(held, openAsOf)
    if (held.length > 0 && !(await durability.decisionsReplicated().catch(fail)))
      throw new NotReplicated('too few replicas have the decisions')
    const outcomes = held.map(({ orderId }, i) => ({ orderId, outcome: readOf(decided[i]) }))
    const standing = await orders.concludeAll(shard, outcomes)
    const byId = new Map(
      outcomes.map(({ orderId }, i) => [orderId, standing[i] ?? errorOf(decided[i])]),
    )
    return judged.map(({ orderId }) => byId.get(orderId))

    async function isOpen({ orderId, claimedAt }: JudgedOrder): Promise<boolean> {
      const isOpen = await durability.openIn(orderId, { jobId, claimedAt }).catch(fail)
      if (isOpen === undefined) throw new NotReplicated('too few replicas have an order')
      return isOpen
    }
    function fail(cause: unknown): never {
      throw new NotReplicated('the replicas could not be checked', { cause })
    }
  }
}

const readOf = <T>(decided: T | Error): T | undefined =>
  decided instanceof Error ? undefined : decided

const errorOf = (decided: unknown): Error | undefined =>
  decided instanceof Error ? decided : undefined

/** The script's reply for an order that a newer version has decided. */
const UNREADABLE = 'UNREADABLE'

const Reply = z.tuple([DecidedReply, ConcludedCodes, z.unknown()])
