import { Cluster, type Redis } from 'ioredis'
import { z } from 'zod'
import { fenceKey, shardOf } from './keys.ts'
import type { Connection } from './redis.ts'

/** What keeps this Redis from being durable, and what was assumed of it since it hides its configuration. */
export type DurabilityReport = { faults: string[]; assumed: string[] }

/** How long a fence waits for the replicas (ms); past it the answer is not final. */
const REPLICAS_MS_MAX = 1_000

type Fence = { running: Promise<boolean>; next: Promise<boolean> | undefined }

/** Whether what Redis has said will still be so after it was killed, or its master was lost. */
export class Durability {
  readonly #connection: Connection
  readonly #replicasMin: number
  readonly #fences: (Fence | undefined)[]
  #waitAof = true

  constructor(connection: Connection, shards: number, replicasMin: number) {
    this.#connection = connection
    this.#replicasMin = replicasMin
    this.#fences = Array.from({ length: shards }, () => undefined)
  }

  /** Looks at every master: AOF on, synced before each reply, nothing evicted. Rejects when Redis does not answer. */
  async report(): Promise<DurabilityReport> {
    const masters =
      this.#connection instanceof Cluster ? this.#connection.nodes('master') : [this.#connection]
    const reports = await Promise.all(masters.map(reportOf))
    return {
      faults: [...new Set(reports.flatMap(({ faults }) => faults))],
      assumed: [...new Set(reports.flatMap(({ assumed }) => assumed))],
    }
  }

  /**
   * Resolves with true once all that was read of an order so far is on as many replicas as are wanted; with false
   * when they do not say so in time. Those who ask while a fence is on its way share the next one.
   */
  async replicated(paymentId: string): Promise<boolean> {
    if (this.#replicasMin === 0) return true
    const shard = shardOf(paymentId, this.#fences.length)
    const fence = this.#fences[shard]
    if (fence === undefined) return this.#start(shard).running
    fence.next ??= fence.running.catch(() => false).then(() => this.#start(shard).running)
    return fence.next
  }

  #start(shard: number): Fence {
    const fence: Fence = { running: this.#run(shard), next: undefined }
    this.#fences[shard] = fence
    const done = () => {
      if (this.#fences[shard] === fence && fence.next === undefined) this.#fences[shard] = undefined
    }
    fence.running.then(done, done)
    return fence
  }

  /** Replication keeps the order of writes: when a write made now is on a replica, so is all that was written before. */
  async #run(shard: number): Promise<boolean> {
    const pipeline = this.#connection.pipeline().set(fenceKey(shard), 1)
    if (this.#waitAof) pipeline.call('WAITAOF', 1, this.#replicasMin, REPLICAS_MS_MAX)
    else pipeline.call('WAIT', this.#replicasMin, REPLICAS_MS_MAX)
    const [written, waited] = (await pipeline.exec()) ?? []
    if (written?.[0]) throw written[0]
    if (waited?.[0]) {
      // Redis before 7.2 has no WAITAOF; a Redis without AOF refuses it.
      if (!this.#waitAof) throw waited[0]
      this.#waitAof = false
      return this.#run(shard)
    }
    const replicas = z.union([z.number(), z.tuple([z.number(), z.number()])]).parse(waited?.[1])
    return (typeof replicas === 'number' ? replicas : replicas[1]) >= this.#replicasMin
  }
}

async function reportOf(master: Redis): Promise<DurabilityReport> {
  const info = await master.info()
  const faults: string[] = []
  const assumed: string[] = []
  if (/^aof_enabled:0/m.test(info)) faults.push('the append-only file is off: set appendonly yes')
  const policy = (await setting(master, 'maxmemory-policy')) ?? /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
  if (policy === undefined) assumed.push('maxmemory-policy is noeviction')
  else if (policy !== 'noeviction')
    faults.push(`keys may be evicted: set maxmemory-policy noeviction, not ${policy}`)
  const appendfsync = await setting(master, 'appendfsync')
  if (appendfsync === undefined) assumed.push('appendfsync is always')
  else if (appendfsync !== 'always')
    faults.push(`the append-only file is synced late: set appendfsync always, not ${appendfsync}`)
  if (/^aof_last_write_status:err/m.test(info))
    faults.push('the append-only file cannot be written: look at the disk')
  return { faults, assumed }
}

/** One setting; undefined where a managed Redis does not show its configuration. */
async function setting(master: Redis, name: string): Promise<string | undefined> {
  const reply = await master.config('GET', name).catch((error: unknown) => {
    if (error instanceof Error && /unknown|NOPERM|not allowed|disabled/i.test(error.message)) return []
    throw error
  })
  return z.array(z.string()).parse(reply)[1]
}
