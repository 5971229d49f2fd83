import { z } from 'zod'
import { activeJobsKey, jobKey, joinableJobKey, resumingKey, stalledCheckKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { RESUME_MS } from './deferral.ts'
import { LOCK_MS, STALL_CHECK_MS } from './group-worker.ts'
import { ROUND_MS } from './job-rounds.ts'

/**
 * How many locks are checked in one call, in some 0.3 ms: those of the oldest active jobs. All are
 * reached in time: a job whose lock was shortened soon ends or is taken over.
 */
const LOCKS_MAX = 500

/**
 * Shortens the expiries of a shard's keys. If Redis's clock was ahead for a while, keys that were
 * set then live too long: a dead worker would keep its job's lock, no worker would look for stalled
 * jobs, and deferred orders would not be resumed.
 *
 * Other keys expire, too, and need none of this: `next-open` checks its own pause; a list of joined
 * groups (`claim`) only takes up memory; sets of recent orders (`count-recent`) follow the claim
 * time of their last order.
 */
export class Expiries {
  readonly #shortenExpiries = new Script('shorten-expiries')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * Shortens expiries that are longer than any that is ever set. Resolves with the number of keys.
   */
  async shorten(shard: number): Promise<number> {
    const bounds = [
      [joinableJobKey(shard), ROUND_MS],
      [resumingKey(shard), RESUME_MS],
      [stalledCheckKey(shard), STALL_CHECK_MS],
    ] as const
    const reply = await this.#shortenExpiries.run(
      this.#connection,
      [activeJobsKey(shard), ...bounds.map(([key]) => key)],
      [jobKey(shard, ''), LOCK_MS, LOCKS_MAX, ...bounds.map(([, ms]) => ms)],
    )
    return z.number().parse(reply)
  }
}
