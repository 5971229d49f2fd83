import { z } from 'zod'
import { activeJobsKey, jobKey, joinableJobKey, resumingKey, stalledCheckKey } from '../keys.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { RESUME_MS } from './deferral.ts'
import { LOCK_MS, STALL_CHECK_MS } from './group-worker.ts'
import { ROUND_MS } from './job-rounds.ts'

/**
 * So many locks are looked at in one call, in some 0.3 ms. They are those of the jobs that were taken first, so none
 * hides behind others: a job whose lock is shortened is soon done with, or taken over.
 */
const LOCKS_MAX = 500

/**
 * The keys of a shard that are given a time to live. After Redis's clock was ahead for a while it would be too long, and with it
 * a dead worker would keep its job, the stall check its turn, deferred orders their list.
 *
 * Others expire, too, and are not looked at here: the pause of the walk through open orders looks at itself (`next-open`); a
 * list of what has joined a job (`claim`) only takes up room; recent orders (`count-recent`) go by the date of the last one.
 */
export class Expiries {
  readonly #shortenExpiries = new Script('shorten-expiries')
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /** Shortens what is to live longer than it is ever given. Resolves with the number of keys it did that to. */
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
