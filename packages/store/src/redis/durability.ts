import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { z } from 'zod'
import {
  decisionsFenceKey,
  fenceKey,
  type OrderId,
  orderKey,
  shardOf,
  steadyTimeKey,
} from '../keys.ts'
import type { Outcome } from '../outcome.ts'
import type { RedisConnection } from './connection.ts'
import { type InspectOptions, inspectRedis, type RedisReport } from './inspect-redis.ts'

/** How long a fence waits for the replicas (ms); past it, it is not known whether they have it. */
const REPLICAS_MS_MAX = 500

/** How many orders one fence looks at. */
const FENCE_ORDERS_MAX = 512

/** What is kept of an order. */
type StoredOrder = { terms: string | null; outcome: string | null; job: string | null }

/** Somebody who wants to know whether what fits is so on the replicas. */
type FenceRequest = {
  /** The key of the order's record, and the shard's fence. */
  keys: { record: string; fence: string }
  fits: (kept: StoredOrder) => boolean
  result: PromiseWithResolvers<boolean | undefined>
}

/** One fence at a time; those who ask meanwhile share the next one. */
type FenceLane = { asked: FenceRequest[]; isRunning: boolean }

export type ReplicaOptions = {
  shards: number
  /** How many replicas must have what is answered. */
  replicasMin: number
  /** A connection for the fences alone: whoever waits for replicas holds up what comes after him on his connection. */
  fences?: RedisConnection | undefined
  /** Below so many percent of free memory Redis counts as full. */
  memoryReservePercent?: number
}

/** Whether what Redis has said will still be so after it was killed, or its master was lost. */
export class Durability {
  readonly #connection: RedisConnection
  readonly #fences: RedisConnection
  readonly #replicasMin: number
  readonly #shards: number
  /** One for all shards that are sure to be on one master: whoever waits on a connection holds up the others on it. */
  readonly #lanes: FenceLane[]
  /** Of the slot that limits, order codes and decisions are in. */
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
    this.#lanes = Array.from({ length: lanes }, () => ({ asked: [], isRunning: false }))
    this.#decisions = { asked: [], isRunning: false }
  }

  /** Looks at every master: its role, durability, memory and replicas. Rejects when Redis does not answer. */
  report(): Promise<RedisReport> {
    const masters =
      this.#connection instanceof Cluster ? this.#connection.nodes('master') : [this.#connection]
    return inspectRedis(masters, this.#inspecting)
  }

  /**
   * Resolves with true once an order, taken in and with this outcome (undefined: whatever it is), is on as many
   * replicas as are wanted; with false when that cannot be said now: too few replicas answer, or the master is another one
   * by now, which does not know of it.
   */
  async replicated(orderId: OrderId, outcome?: Outcome): Promise<boolean> {
    const fits = (kept: StoredOrder) =>
      kept.terms !== null && (outcome === undefined || outcome === kept.outcome)
    return (await this.#ask(orderId, fits)) === true
  }

  /**
   * Resolves with true once it is sure that there is no such order: the master that says so has as many replicas as are
   * wanted, so it is not one that another has taken the place of.
   */
  async absent(orderId: OrderId): Promise<boolean> {
    return (await this.#ask(orderId, ({ terms }) => terms === null)) === true
  }

  /**
   * Whether an order is open, names a job, and is so on as many replicas as are wanted; undefined when too few answer.
   * Where none are wanted, nothing is looked at.
   */
  async openIn(orderId: OrderId, jobId: string): Promise<boolean | undefined> {
    const fits = ({ terms, outcome, job }: StoredOrder) =>
      terms !== null && outcome === null && job === jobId
    return this.#ask(orderId, fits)
  }

  /** Resolves with true once all that was decided before is on as many replicas as are wanted. */
  async decisionsReplicated(): Promise<boolean> {
    if (this.#replicasMin === 0) return true
    const keys = { record: steadyTimeKey, fence: decisionsFenceKey }
    return (await this.#join(this.#decisions, keys, () => true)) === true
  }

  async #ask(orderId: OrderId, fits: FenceRequest['fits']): Promise<boolean | undefined> {
    if (this.#replicasMin === 0) return true
    const shard = shardOf(orderId, this.#shards)
    const lane = this.#lanes[shard % this.#lanes.length]
    assert(lane !== undefined, 'every order has a lane')
    const keys = { record: orderKey(shard, orderId), fence: fenceKey(shard) }
    return this.#join(lane, keys, fits)
  }

  #join(
    lane: FenceLane,
    keys: FenceRequest['keys'],
    fits: FenceRequest['fits'],
  ): Promise<boolean | undefined> {
    const told = Promise.withResolvers<boolean | undefined>()
    lane.asked.push({ keys, fits, result: told })
    void this.#drain(lane)
    return told.promise
  }

  async #drain(lane: FenceLane): Promise<void> {
    if (lane.isRunning) return
    lane.isRunning = true
    while (lane.asked.length > 0) {
      await setImmediate() // Whoever asks in this turn of the event loop shares it.
      const asked = lane.asked.splice(0, FENCE_ORDERS_MAX)
      try {
        const answers = await this.#runFence(asked)
        for (const [i, { result: told }] of asked.entries()) told.resolve(answers[i])
      } catch (error) {
        for (const { result: told } of asked) told.reject(error)
      }
    }
    lane.isRunning = false
  }

  /**
   * Replication keeps the order of writes: when a write made now is on a replica, so is all that was read before it on
   * the same master. One pipeline, so that reading and waiting cannot be of two masters.
   */
  async #runFence(asked: FenceRequest[]): Promise<(boolean | undefined)[]> {
    const pipeline = this.#fences.pipeline()
    for (const { keys } of asked) pipeline.hmget(keys.record, 'terms', 'outcome', 'job')
    for (const fence of new Set(asked.map(({ keys }) => keys.fence))) pipeline.set(fence, 1)
    const waitMs = REPLICAS_MS_MAX / (this.#waitAof ? 2 : 1)
    pipeline.call('WAIT', this.#replicasMin, waitMs)
    // Asked at once, a replica would tell what it had synced before; by itself it tells once a second.
    if (this.#waitAof) pipeline.call('WAITAOF', 1, this.#replicasMin, waitMs)
    const replies = (await pipeline.exec()) ?? []
    const [waitError, waited] = replies.at(-1) ?? []
    // Redis before 7.2 has no WAITAOF, and one without an append-only file refuses it.
    if (waitError && this.#waitAof && /unknown command|appendonly/i.test(waitError.message)) {
      this.#waitAof = false
      return this.#runFence(asked)
    }
    const failed = replies.slice(asked.length).find(([error]) => error)?.[0]
    if (failed) throw failed
    const replicas = z.union([z.number(), z.tuple([z.number(), z.number()])]).parse(waited)
    const enough = (typeof replicas === 'number' ? replicas : replicas[1]) >= this.#replicasMin
    return asked.map(({ fits }, i) => {
      const fields = KeptFields.safeParse(replies[i]?.[1])
      return enough && fields.success ? fits(fields.data) : undefined
    })
  }
}

const Field = z.string().nullable()
const KeptFields = z
  .tuple([Field, Field, Field])
  .transform(([terms, outcome, job]): StoredOrder => ({ terms, outcome, job }))
