import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { z } from 'zod'
import { Mark } from '../drivers/load.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { memoryUsage, weightOf } from '../test-bed/memory-usage.ts'
import { asked, redisFor, type TestBed, workerFor } from '../test-bed/test-bed.ts'

const IN_FLIGHT = 256
const LOOK_MS = 5_000

/** It was there before. */
const DIRECTORY = 'the directory'

/** Keys by what they are kept for; the rest is BullMQ's and the directory's. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/:order:/, 'its record, for ever'],
  [/:recent:customer:/, 'its customer’s recent orders, 24 h'],
  [/:recent:code:/, 'its code’s recent orders, 10 min'],
  [/:recent:merchant:/, 'its merchant’s recent orders, 10 min'],
  [/^\{u\}:usage/, 'its day’s limits, 3 days'],
  [/^\{u\}:decided/, 'its decision, minutes'],
  [/:(merchant|code):/, DIRECTORY],
]
const kindOf = (key: string): string =>
  kinds.find(([pattern]) => pattern.test(key))?.[1] ?? 'the queue'

/** What Redis holds for one concluded order, with many of them held, and where each byte goes. */
export async function memory(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { heldOrders } = testBed.plan
  const redis = await redisFor(testBed, stack, 'ours')
  await workerFor(testBed, stack, redis.address)
  const driver = await asked(stack, 'driver', 'drivers/store-driver.ts', { REDIS_URL: redis.url })
  const connection = new Redis(redis.url)
  stack.defer(async () => void (await connection.quit()))
  const before = await redis.counters()
  const held = await hold(testBed, driver, heldOrders)
  const after = await redis.counters()
  const weights = (await memoryUsage(connection, kindOf)).filter(({ kind }) => kind !== DIRECTORY)
  const each = (bytes: number) => roundsOf([bytes / held])
  const record = weights.find(({ kind }) => kind === kindOf('{s0}:order:'))
  return {
    name: 'memory',
    title: `Redis memory of one concluded order, ${held.toLocaleString('en-US')} of them held`,
    metrics: [
      {
        what: 'one concluded order, its record with its request',
        unit: 'B',
        rounds: each(record?.bytes ?? Number.NaN),
        must: { atMost: 1_000 },
      },
      {
        what: 'all that Redis grew by, an order',
        unit: 'B',
        rounds: each(after.usedMemoryBytes - before.usedMemoryBytes),
      },
      ...weights.map(({ kind, bytes }) => ({
        what: `of that, ${kind}`,
        unit: 'B',
        rounds: each(bytes),
      })),
    ],
    notes: [await recordNote(connection)],
  }
}

/** Has so many orders concluded, at full speed. */
async function hold(
  testBed: TestBed,
  driver: Awaited<ReturnType<typeof asked>>,
  count: number,
): Promise<number> {
  const anything = z.unknown()
  await driver.ask('start', { inFlight: IN_FLIGHT, from: 0 }, anything)
  let held = 0
  while (held < count) {
    await wait(Math.min(LOOK_MS, 5 + (count - held) / 10))
    const mark = await driver.ask('mark', undefined, Mark)
    if (mark.failed > 0) throw new Error(`${mark.failed} answers were wrong: ${mark.why}`)
    held += mark.answered
    testBed.say(`${held.toLocaleString('en-US')} orders held`)
  }
  await driver.ask('stop', undefined, anything)
  return held + (await driver.ask('mark', undefined, Mark)).answered
}

/** One record, byte by byte. */
async function recordNote(connection: Redis): Promise<string> {
  const [, [key = ''] = []] = await connection.scan('0', 'MATCH', '*:order:*', 'COUNT', 100_000)
  const fields = await connection.hgetallBuffer(key)
  const parts = Object.entries(fields).map(
    ([name, value]) => [name, name.length + value.length] as const,
  )
  const content = parts.reduce((sum, [, bytes]) => sum + bytes, 0)
  const whole = await weightOf(connection, key)
  const encoding = await connection.call('OBJECT', 'ENCODING', key)
  return (
    `A record of ${whole} bytes: its key ${key.length}; ${parts.map(([name, bytes]) => `${name} ${bytes}`).join(', ')} ` +
    `(names included); ${whole - key.length - content} are Redis's own, which keeps it as a ${String(encoding)}.`
  )
}
