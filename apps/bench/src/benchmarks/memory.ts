import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { z } from 'zod'
import { Mark } from '../drivers/load.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { memoryUsage, memoryUsageOf } from '../test-bed/memory-usage.ts'
import { commanded, redisFor, type TestBed, workerFor } from '../test-bed/test-bed.ts'

const IN_FLIGHT = 256
const POLL_MS_MAX = 5_000

/** Imported before the orders, so it does not count. */
export const DIRECTORY = 'the directory'

/** Of orders that were forgotten. */
export const FILTERS = 'filters'

/** What is kept for a time of its own, however long the record is. */
const timed: readonly (readonly [RegExp, string])[] = [
  [/:recent:customer:/, 'its customer’s recent orders, 24 h'],
  [/:recent:code:/, 'its code’s recent orders, 10 min'],
  [/:recent:merchant:/, 'its merchant’s recent orders, 10 min'],
  [/^\{u\}:usage/, 'its day’s limits, 3 days'],
  [/^\{u\}:decided/, 'its decision, minutes'],
]

/** What each kind of key holds for an order; all other keys are BullMQ's. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/:order:/, 'its record, until it is forgotten'],
  ...timed,
  [/:(merchant|code):/, DIRECTORY],
  [/:forgotten:/, FILTERS],
  [/:outbox$/, 'the outbox'],
]
/** Whether a kind of key is kept for a time of its own. */
export const isTimed = (kind: string): boolean => timed.some(([, one]) => one === kind)

/** What a key holds. */
export const kindOf = (key: string): string =>
  kinds.find(([pattern]) => pattern.test(key))?.[1] ?? 'the queue'

/** Measures how much memory Redis uses for one concluded order, and for what. */
export async function memory(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { storedOrders } = testBed.plan
  const redis = await redisFor(testBed, stack, 'ours')
  await workerFor(testBed, stack, redis.address)
  const driver = await commanded(stack, 'driver', 'drivers/store-driver.ts', {
    REDIS_URL: redis.url,
  })
  const connection = new Redis(redis.url)
  stack.defer(async () => void (await connection.quit()))
  const before = await redis.counters()
  const stored = await storeOrders(testBed, driver, storedOrders)
  const after = await redis.counters()
  const usages = (await memoryUsage(connection, kindOf)).filter(({ kind }) => kind !== DIRECTORY)
  const each = (bytes: number) => roundsOf([bytes / stored])
  const record = usages.find(({ kind }) => kind === kindOf('{s0}:order:'))
  return {
    name: 'memory',
    title: `Redis memory of one concluded order, ${stored.toLocaleString('en-US')} of them stored`,
    metrics: [
      {
        what: 'one concluded order, its record with its request',
        unit: 'B',
        rounds: each(record?.bytes ?? Number.NaN),
        must: { atMost: 1_000 },
      },
      {
        what: 'growth of Redis memory per order',
        unit: 'B',
        rounds: each(after.usedMemoryBytes - before.usedMemoryBytes),
      },
      ...usages.map(({ kind, bytes }) => ({
        what: `of that, ${kind}`,
        unit: 'B',
        rounds: each(bytes),
      })),
    ],
    notes: [await recordNote(connection)],
  }
}

/** Places so many orders at full speed; resolves with how many were concluded. */
async function storeOrders(
  testBed: TestBed,
  driver: Awaited<ReturnType<typeof commanded>>,
  count: number,
): Promise<number> {
  const anything = z.unknown()
  await driver.command('start', { inFlight: IN_FLIGHT, from: 0 }, anything)
  let stored = 0
  while (stored < count) {
    await wait(Math.min(POLL_MS_MAX, 5 + (count - stored) / 10))
    const mark = await driver.command('mark', undefined, Mark)
    if (mark.failed > 0) throw new Error(`${mark.failed} answers were wrong: ${mark.why}`)
    stored += mark.answered
    testBed.say(`${stored.toLocaleString('en-US')} orders stored`)
  }
  await driver.command('stop', undefined, anything)
  return stored + (await driver.command('mark', undefined, Mark)).answered
}

/** Says what each byte of one record is for. */
async function recordNote(connection: Redis): Promise<string> {
  const [, [key = ''] = []] = await connection.scan('0', 'MATCH', '*:order:*', 'COUNT', 100_000)
  const fields = await connection.hgetallBuffer(key)
  const parts = Object.entries(fields).map(
    ([name, value]) => [name, name.length + value.length] as const,
  )
  const fieldSizes = parts.map(([name, bytes]) => `${name} ${bytes}`).join(', ')
  const content = parts.reduce((sum, [, bytes]) => sum + bytes, 0)
  const whole = (await memoryUsageOf(connection, key)) ?? Number.NaN
  const encoding = await connection.call('OBJECT', 'ENCODING', key)
  return (
    `A record of ${whole} bytes: its key ${key.length}; ${fieldSizes} (names included); ` +
    `${whole - key.length - content} of overhead, as Redis stores it as a ${String(encoding)}.`
  )
}
