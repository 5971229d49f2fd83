import { setTimeout as wait } from 'node:timers/promises'
import { shardsKey } from '../keys.ts'
import type { RedisAddress, RedisConnection } from './connection.ts'
import { redisFaultOf } from './redis-fault.ts'
import { checkShards, shardsText } from './shards.ts'
import { tlsMismatchOf } from './tls-mismatch.ts'

/** How long a start waits for Redis to be there, in ms. */
const START_MS_MAX = 30_000

/** Where connections say what is wrong with them, or with a Cluster's nodes. */
const faultEvents = ['error', 'node error'] as const

/**
 * Waits for Redis to be there, and keeps the number of shards on its first use. What an operator
 * must change first is not waited for.
 *
 * @throws ShardsFault, RedisFault; an Error when Redis is not there in time
 */
export async function keepShards(
  connection: RedisConnection,
  address: RedisAddress,
  shards: number,
): Promise<void> {
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // It may fail while nobody waits for it.
  let last: unknown
  let isLooking = false
  const look = async () => {
    if (isLooking) return
    isLooking = true
    const fault = await tlsMismatchOf(address)
    isLooking = false
    if (fault !== undefined) failed.reject(fault)
  }
  const hear = (error: unknown) => {
    last = error
    const fault = redisFaultOf(error)
    if (fault !== undefined) failed.reject(fault)
    else void look()
  }
  for (const event of faultEvents) connection.on(event, hear)
  const deadline = performance.now() + START_MS_MAX
  try {
    for (;;) {
      const kept = await Promise.race([failed.promise, keep(connection, shards).catch(hear)])
      if (kept !== undefined) return checkShards(kept, shards)
      if (performance.now() > deadline)
        throw new Error(`Redis did not answer within ${START_MS_MAX / 1_000} s: see REDIS_URL`, {
          cause: last,
        })
      await Promise.race([failed.promise, wait(100)])
    }
  } finally {
    for (const event of faultEvents) connection.off(event, hear)
  }
}

/** What is kept. It is read first: a Redis that is full still lets a process start. */
async function keep(connection: RedisConnection, shards: number): Promise<string | null> {
  const kept = await connection.get(shardsKey)
  if (kept !== null) return kept
  await connection.set(shardsKey, shardsText(shards), 'NX')
  return connection.get(shardsKey)
}
