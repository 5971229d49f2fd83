import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { backlogLockKey, backlogsKey, disabledSinksKey, incarnationKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'

/** A sink whose endpoint wants no more events. */
export const DisabledSink = z.object({
  reason: z.string(),
  /** When it was disabled (ms). */
  at: z.number(),
  /** Of the sink as it was configured: one that is configured otherwise is not disabled. */
  digest: z.string(),
})
export type DisabledSink = z.output<typeof DisabledSink>

/** Old outcomes that a sink is to be sent out of the archive. Times are in ms. */
export const SinkBacklog = z.object({
  from: z.number(),
  to: z.number(),
  /** The last one that it is sent. */
  after: z.exactOptional(
    z.object({ concludedAt: z.number(), acquirerId: z.string(), paymentId: z.string() }),
  ),
})
export type SinkBacklog = z.output<typeof SinkBacklog>

/** Whoever reads old outcomes for a sink has so long for some of them (ms). */
const BACKLOG_LOCK_MS = 30_000

/** What all notifiers know of sinks. */
export class SinkStates {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  async disable(sink: string, disabled: DisabledSink): Promise<void> {
    await this.#connection.hset(disabledSinksKey, sink, JSON.stringify(disabled))
  }

  /** The name that this Redis has for as long as it has its data. */
  async incarnation(): Promise<string> {
    const known = await this.#connection.get(incarnationKey) // A full Redis refuses every SET.
    if (known !== null) return known
    await this.#connection.set(incarnationKey, randomUUID(), 'NX')
    return z.string().parse(await this.#connection.get(incarnationKey))
  }

  async enable(sink: string): Promise<void> {
    await this.#connection.hdel(disabledSinksKey, sink)
  }

  /** The disabled sinks by name. */
  async disabled(): Promise<Map<string, DisabledSink>> {
    const all = Object.entries(await this.#connection.hgetall(disabledSinksKey))
    return new Map(all.map(([sink, text]) => [sink, DisabledSink.parse(JSON.parse(text))]))
  }

  /** Has old outcomes sent to a sink; resolves with false if others still are. */
  async planBacklog(sink: string, backlog: SinkBacklog): Promise<boolean> {
    return (await this.#connection.hsetnx(backlogsKey, sink, JSON.stringify(backlog))) === 1
  }

  /** The old outcomes that sinks are still to be sent, by name. */
  async backlogs(): Promise<Map<string, SinkBacklog>> {
    const all = Object.entries(await this.#connection.hgetall(backlogsKey))
    return new Map(all.map(([sink, text]) => [sink, SinkBacklog.parse(JSON.parse(text))]))
  }

  /** The old outcomes that a sink is still to be sent, if nobody else reads them now. */
  async takeBacklog(sink: string): Promise<SinkBacklog | undefined> {
    if ((await this.#connection.hexists(backlogsKey, sink)) === 0) return undefined
    const key = backlogLockKey(sink)
    if ((await this.#connection.set(key, 1, 'PX', BACKLOG_LOCK_MS, 'NX')) === null) return undefined
    const text = await this.#connection.hget(backlogsKey, sink)
    return text === null ? undefined : SinkBacklog.parse(JSON.parse(text))
  }

  /** Notes how far the old outcomes of a sink are read; undefined: all are. */
  async noteBacklog(sink: string, backlog: SinkBacklog | undefined): Promise<void> {
    if (backlog === undefined) await this.#connection.hdel(backlogsKey, sink)
    else await this.#connection.hset(backlogsKey, sink, JSON.stringify(backlog))
  }

  /** Lets others read them. */
  async releaseBacklog(sink: string): Promise<void> {
    await this.#connection.del(backlogLockKey(sink))
  }
}
