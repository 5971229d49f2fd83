import { z } from 'zod'
import { disabledSinksKey } from '../keys.ts'
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

/** What all notifiers know of sinks. */
export class SinkStates {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  async disable(sink: string, disabled: DisabledSink): Promise<void> {
    await this.#connection.hset(disabledSinksKey, sink, JSON.stringify(disabled))
  }

  async enable(sink: string): Promise<void> {
    await this.#connection.hdel(disabledSinksKey, sink)
  }

  /** The disabled sinks by name. */
  async disabled(): Promise<Map<string, DisabledSink>> {
    const all = Object.entries(await this.#connection.hgetall(disabledSinksKey))
    return new Map(all.map(([sink, text]) => [sink, DisabledSink.parse(JSON.parse(text))]))
  }
}
