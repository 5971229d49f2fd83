import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { type ChainableCommander, Cluster } from 'ioredis'
import { z } from 'zod'
import {
  decisionsFenceKey,
  fenceKey,
  type OrderId,
  orderKey,
  outboxKey,
  shardOf,
  steadyTimeKey,
} from '../keys.ts'
import type { Outcome } from '../outcome.ts'
import type { RedisConnection } from './connection.ts'
import { type InspectOptions, inspectRedis, type RedisReport } from './inspect-redis.ts'

/** How long a fence waits for the replicas (ms). After that it is unknown what they have. */
const REPLICAS_MS_MAX = 500

/** How many orders one fence checks. */
const FENCE_ORDERS_MAX = 512

/** The fields of an order's record that fences check. */
const storedFields = ['terms', 'outcome', 'job', 'paymentRequestId', 'claimedAt'] as const
type StoredOrder = Record<(typeof storedFields)[number], string | null>

/** Asks whether what is read now is on the replicas. */
type FenceRequest = {
  read: (pipeline: ChainableCommander) => unknown
  /** Whether what was read fits; undefined if it cannot be read. */
  fits: (reply: unknown) => boolean | undefined
  /** The key of the shard's fence. */
  fence: string
  result: PromiseWithResolvers<boolean | undefined>
}

/** Runs one fence at a time; the requests that come meanwhile share the next one. */
type FenceLane = { requests: FenceRequest[]; isRunning: boolean }

export type ReplicaOptions = {
  shards: number
  /** How many replicas must have an outcome before it is answered. */
  replicasMin: number
  /** A connection for fences alone: WAIT blocks all later commands on its connection. */
  fences?: RedisConnection | undefined
  /** The percentage of free memory below which Redis counts as full. */
  memoryReservePercent?: number
}

/** Checks whether data of Redis survives a crash of the server, or the loss of its master. */
export class Durability {
  readonly #connection: RedisConnection
  readonly #fences: RedisConnection
  readonly #replicasMin: number
  readonly #shards: number
  /** One for all shards that are on the same master: a WAIT blocks the others on its connection. */
  readonly #lanes: FenceLane[]
  /** For the slot of limits, order codes and decisions. */
  readonly #decisions: FenceLane
  readonly #inspecting: InspectOptions
  #waitAof = true

  constructor(
    connection: RedisConnection,
    { shards, replicasMin, fences = connection, memoryReservePercent = 0 }: ReplicaOptions,
  ) {
    this.#inspecting = { replicasMin, memoryReservePercent }
    this.#connection = connection
    this.#fences = fences
    this.#replicasMin = replicasMin
    this.#shards = shards
    const lanes = connection instanceof Cluster ? shards : 1
    this.#lanes = Array.from({ length: lanes }, () => ({ requests: [], isRunning: false }))
    this.#decisions = { requests: [], isRunning: false }
  }

  /**
   * Inspects every master: its role, durability, memory and replicas. Rejects when Redis does not
   * answer.
   */
  report(): Promise<RedisReport> {
    const masters =
      this.#connection instanceof Cluster ? this.#connection.nodes('master') : [this.#connection]
    return inspectRedis(masters, this.#inspecting)
  }

  /**
   * Resolves with true once as many replicas as are required have an order with this outcome and
   * this paymentRequestId (undefined: any or none); with false if that is not known now: too few
   * replicas answer, or the order is not on the current master.
   */
  async replicated(
    orderId: OrderId,
    outcome?: Outcome,
    paymentRequestId?: string,
  ): Promise<boolean> {
    const fits = (stored: StoredOrder) =>
      stored.terms !== null &&
      (outcome === undefined || outcome === stored.outcome) &&
      (paymentRequestId === undefined || paymentRequestId === stored.paymentRequestId)
    return (await this.#ask(orderId, fits)) === true
  }

  /**
   * Resolves with true once it is certain that there is no such order: the master that says so has
   * as many replicas as are required, so it was not replaced by another.
   */
  async absent(orderId: OrderId): Promise<boolean> {
    return (await this.#ask(orderId, ({ terms }) => terms === null)) === true
  }

  /**
   * Whether an order is open, as it was claimed at this time (ms) and in this job, on as many
   * replicas as are required; undefined if too few answer. If none are required, nothing is
   * checked.
   */
  async openIn(
    orderId: OrderId,
    { jobId, claimedAt }: { jobId: string; claimedAt: number },
  ): Promise<boolean | undefined> {
    const fits = ({ terms, outcome, job, ...stored }: StoredOrder) =>
      terms !== null &&
      outcome === null &&
      job === jobId &&
      // A damaged claim time counts as this one: the order must end.
      [claimedAt, Number.NaN].includes(Number(stored.claimedAt ?? claimedAt))
    return this.#ask(orderId, fits)
  }

  /**
   * Resolves with true once as many replicas as are required have the entry of a shard's outbox at
   * this id, if that fits; see `Outbox.replicated`.
   */
  async entryReplicated(
    shard: number,
    id: string,
    fits: (reply: unknown) => boolean,
  ): Promise<boolean> {
    if (this.#replicasMin === 0) return true
    const asked = {
      read: (pipeline: ChainableCommander) => pipeline.xrange(outboxKey(shard), id, id),
      fits,
      fence: fenceKey(shard),
    }
    return (await this.#join(this.#laneOf(shard), asked)) === true
  }

  /** Resolves with true once as many replicas as are required have this key of a shard. */
  async keyReplicated(shard: number, key: string): Promise<boolean> {
    if (this.#replicasMin === 0) return true
    const asked = {
      read: (pipeline: ChainableCommander) => pipeline.exists(key),
      fits: (reply: unknown) => reply === 1,
      fence: fenceKey(shard),
    }
    return (await this.#join(this.#laneOf(shard), asked)) === true
  }

  /** Resolves with true once as many replicas as are required have all decisions made before. */
  async decisionsReplicated(): Promise<boolean> {
    if (this.#replicasMin === 0) return true
    const asked = {
      read: (pipeline: ChainableCommander) => pipeline.exists(steadyTimeKey),
      fits: () => true,
      fence: decisionsFenceKey,
    }
    return (await this.#join(this.#decisions, asked)) === true
  }

  async #ask(
    orderId: OrderId,
    fits: (stored: StoredOrder) => boolean,
  ): Promise<boolean | undefined> {
    if (this.#replicasMin === 0) return true
    const shard = shardOf(orderId, this.#shards)
    return this.#join(this.#laneOf(shard), {
      read: (pipeline) => pipeline.hmget(orderKey(shard, orderId), ...storedFields),
      fits: (reply) => {
        const fields = StoredFields.safeParse(reply)
        return fields.success ? fits(fields.data) : undefined
      },
      fence: fenceKey(shard),
    })
  }

  #laneOf(shard: number): FenceLane {
    const lane = this.#lanes[shard % this.#lanes.length]
    assert(lane !== undefined, 'every shard has a lane')
    return lane
  }

  #join(lane: FenceLane, asked: Omit<FenceRequest, 'result'>): Promise<boolean | undefined> {
    const result = Promise.withResolvers<boolean | undefined>()
    lane.requests.push({ ...asked, result })
    void this.#drain(lane)
    return result.promise
  }

  async #drain(lane: FenceLane): Promise<void> {
    if (lane.isRunning) return
    lane.isRunning = true
    while (lane.requests.length > 0) {
      await setImmediate() // All requests of this turn of the event loop share it.
      const requests = lane.requests.splice(0, FENCE_ORDERS_MAX)
      try {
        const answers = await this.#runFence(requests)
        for (const [i, { result }] of requests.entries()) result.resolve(answers[i])
      } catch (error) {
        for (const { result } of requests) result.reject(error)
      }
    }
    lane.isRunning = false
  }

  /**
   * Replication keeps the order of writes: once a replica has a write made now, it has all data
   * that was read before on the same master. One pipeline, so that the reads and WAIT go to the
   * same master.
   */
  async #runFence(requests: FenceRequest[]): Promise<(boolean | undefined)[]> {
    const pipeline = this.#fences.pipeline()
    for (const { read } of requests) read(pipeline)
    for (const fence of new Set(requests.map((request) => request.fence))) pipeline.set(fence, 1)
    const waitMs = REPLICAS_MS_MAX / (this.#waitAof ? 2 : 1)
    pipeline.call('WAIT', this.#replicasMin, waitMs)
    // WAIT first: asked by WAITAOF at once, a replica replies with what it had synced before, and
    // after that only once a second.
    if (this.#waitAof) pipeline.call('WAITAOF', 1, this.#replicasMin, waitMs)
    const replies = (await pipeline.exec()) ?? []
    const [waitError, waited] = replies.at(-1) ?? []
    // Redis before 7.2 has no WAITAOF, and a Redis without an append-only file refuses it.
    if (waitError && this.#waitAof && /unknown command|appendonly/i.test(waitError.message)) {
      this.#waitAof = false
      return this.#runFence(requests)
    }
    const failed = replies.slice(requests.length).find(([error]) => error)?.[0]
    if (failed) throw failed
    const replicas = z.union([z.number(), z.tuple([z.number(), z.number()])]).parse(waited)
    const enough = (typeof replicas === 'number' ? replicas : replicas[1]) >= this.#replicasMin
    return requests.map(({ fits }, i) => (enough ? fits(replies[i]?.[1]) : undefined))
  }
}

const Field = z.string().nullable()
const StoredFields = z.tuple([Field, Field, Field, Field, Field]).transform(
  ([terms, outcome, job, paymentRequestId, claimedAt]): StoredOrder => ({
    ...{ terms, outcome, job, paymentRequestId, claimedAt },
  }),
)
