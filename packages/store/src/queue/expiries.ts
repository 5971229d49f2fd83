import { z } from 'zod'
import { jobKey, joinableJobKey, resumingKey } from '../keys.ts'
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

/** BullMQ's keys of a queue that expire. */
export type QueueExpiries = {
  /** The key of a job, or of something else in the queue. */
  keyOf: (name: string) => string
  /** The longest time to live of a job's lock, and of the pause between checks for stalled jobs. */
  lockMs: number
  stallCheckMs: number
}

const shortenExpiries = new Script('shorten-expiries')

/**
 * Shortens expiries that are longer than any that is ever set: those of a queue, and of `others`,
 * keys with their longest times to live (ms). Resolves with the number of keys.
 */
export async function shortenExpiriesOf(
  connection: RedisConnection,
  { keyOf, lockMs, stallCheckMs }: QueueExpiries,
  others: readonly (readonly [key: string, ms: number])[] = [],
): Promise<number> {
  const bounds = [[keyOf('stalled-check'), stallCheckMs] as const, ...others]
  const keys = [keyOf('active'), ...bounds.map(([key]) => key)]
  const args = [keyOf(''), lockMs, LOCKS_MAX, ...bounds.map(([, ms]) => ms)]
  return z.number().parse(await shortenExpiries.run(connection, keys, args))
}

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
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  /**
   * Shortens expiries that are longer than any that is ever set. Resolves with the number of keys.
   */
  shorten(shard: number): Promise<number> {
    const keyOf = (name: string) => jobKey(shard, name)
    const queue = { keyOf, lockMs: LOCK_MS, stallCheckMs: STALL_CHECK_MS }
    return shortenExpiriesOf(this.#connection, queue, [
      [joinableJobKey(shard), ROUND_MS],
      [resumingKey(shard), RESUME_MS],
    ])
  }
}
