import { setTimeout as wait } from 'node:timers/promises'
import { shardsKey } from '../keys.ts'
import type { RedisAddress, RedisConnection } from './connection.ts'
import { redisFaultOf } from './redis-fault.ts'
import { checkShards, shardsText } from './shards.ts'
import { tlsMismatchOf } from './tls-mismatch.ts'

/** How long a start waits for Redis, in ms. */
const START_MS_MAX = 30_000

/** The events with which connections report faults, their own or those of a Cluster's nodes. */
const faultEvents = ['error', 'node error'] as const

/**
 * Waits for Redis, and stores the number of shards on its first use.
 *
 * @throws ShardsFault, RedisFault; an Error when Redis does not answer in time
 */
export async function keepShards(
  connection: RedisConnection,
  address: RedisAddress,
  shards: number,
): Promise<void> {
  checkShards(await onceAnswered(connection, address, () => keep(connection, shards)), shards)
}

/**
 * The result of `ask` once Redis answers. Does not wait for what an operator must change first.
 *
 * @throws RedisFault; an Error when Redis does not answer in time
 */
export async function onceAnswered<T>(
  connection: RedisConnection,
  address: RedisAddress,
  ask: () => Promise<T>,
): Promise<T> {
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // It may reject while nobody awaits it.
  let last: unknown
  let isChecking = false
  const checkTls = async () => {
    if (isChecking) return
    isChecking = true
    const fault = await tlsMismatchOf(address)
    isChecking = false
    if (fault !== undefined) failed.reject(fault)
  }
  const note = (error: unknown) => {
    last = error
    const fault = redisFaultOf(error)
    if (fault !== undefined) failed.reject(fault)
    else void checkTls()
  }
  for (const event of faultEvents) connection.on(event, note)
  const deadline = performance.now() + START_MS_MAX
  try {
    for (;;) {
      const answer = await Promise.race([
        failed.promise,
        ask().then((result) => ({ result }), note),
      ])
      if (answer !== undefined) return answer.result
      if (performance.now() > deadline)
        throw new Error(`Redis did not answer within ${START_MS_MAX / 1_000} s: see REDIS_URL`, {
          cause: last,
        })
      await Promise.race([failed.promise, wait(100)])
    }
  } finally {
    for (const event of faultEvents) connection.off(event, note)
  }
}

/**
 * The stored value. It is read before it is written: a process can start with a Redis that is full.
 */
async function keep(connection: RedisConnection, shards: number): Promise<string | null> {
  const kept = await connection.get(shardsKey)
  if (kept !== null) return kept
  await connection.set(shardsKey, shardsText(shards), 'NX')
  return connection.get(shardsKey)
}
