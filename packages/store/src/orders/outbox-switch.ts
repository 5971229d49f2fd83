import { archiveKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'

/** Redis is asked again after this time (ms), while orders are concluded. */
const ASK_MS = 1_000

/** What it has said counts for this time (ms). */
const KNOWN_MS = 3_000

type Known = { isOn: boolean; askedAt: number }
const nothing: Known = { isOn: false, askedAt: Number.NEGATIVE_INFINITY }

/**
 * Which shards' outboxes are on, as far as a process that concludes knows: it then appends without
 * asking, one command a call less. Of any other the script asks, so that an outbox that is switched
 * on has every outcome from then on. One that is switched off gets some more for seconds, which
 * nobody reads.
 */
export class OutboxSwitch {
  readonly #connection: Pick<RedisConnection, 'hexists'>
  readonly #known = new Map<number, Known>()
  readonly #asking = new Set<number>()

  constructor(connection: Pick<RedisConnection, 'hexists'>) {
    this.#connection = connection
  }

  /** Whether a shard's outbox was on a moment ago; false if that is not known. */
  isOn(shard: number): boolean {
    const { isOn, askedAt } = this.#known.get(shard) ?? nothing
    const ageMs = performance.now() - askedAt
    if (ageMs >= ASK_MS) void this.#ask(shard)
    return isOn && ageMs < KNOWN_MS
  }

  async #ask(shard: number): Promise<void> {
    if (this.#asking.has(shard)) return
    this.#asking.add(shard)
    const askedAt = performance.now()
    try {
      const isOn = (await this.#connection.hexists(archiveKey(shard), 'outbox')) === 1
      this.#known.set(shard, { isOn, askedAt })
    } catch {
      // The script asks until Redis answers again.
    } finally {
      this.#asking.delete(shard)
    }
  }
}
