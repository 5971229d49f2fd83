import { randomUUID } from 'node:crypto'
import { openArchiverStore, orderIdOf } from '@placeorder/store'
import { archiveKey } from '@placeorder/store/keys'
import { Redis } from 'ioredis'
import type { Benchmark, Metric } from '../../report/metric.ts'
import { roundsOf } from '../../statistics.ts'
import { measure, type Sample, type Subject } from '../../test-bed/measure.ts'
import type { BenchRedis } from '../../test-bed/redis.ts'
import { commanded, redisFor, type TestBed, workerFor } from '../../test-bed/test-bed.ts'
import { commandsNote, metricOf } from '../rounds.ts'

/** Orders in flight at once. */
const MANY = 64
const ALONE = 1

/**
 * Counts the Redis commands of an order where outcomes are appended to the outbox and claims read
 * filters, and where there is no archive. No archiver runs: it is counted by itself.
 */
export async function archiveCommands(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const subjects = [
    await subject(testBed, stack, 'without'),
    await subject(testBed, stack, 'one filter', 1),
    await subject(testBed, stack, 'two filters', 2),
  ]
  const metrics: Metric[] = []
  const notes: string[] = []
  for (const inFlight of [MANY, ALONE]) {
    for (const one of subjects) one.load.inFlight = inFlight
    const samples = await inTurn(testBed, subjects)
    const [without = [], ...others] = subjects.map(({ name }) => samples.get(name))
    for (const [i, on = []] of others.entries())
      metrics.push(
        ...metricsOf(`${inFlight} in flight, ${subjects[i + 1]?.name}`, i + 1, on, without),
      )
    if (inFlight === MANY)
      notes.push(...subjects.map(({ name }) => commandsNote(name, samples.get(name) ?? [])))
  }
  return { name: 'archive-commands', title: 'Redis commands for the archive', metrics, notes }
}

/** The subjects in turn, not warm: an order has no other commands as code becomes hot. */
async function inTurn(
  { plan: { rounds, leadSeconds, seconds }, say }: TestBed,
  subjects: Subject[],
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 1; round <= rounds; round += 1)
    for (const subject of subjects) {
      const sample = await measure(subject, { leadSeconds, seconds })
      samples.get(subject.name)?.push(sample)
      say(`${subject.name}, round ${round} of ${rounds}: ${sample.commands.toFixed(1)} commands`)
    }
  return samples
}

const metricsOf = (what: string, filters: number, on: Sample[], off: Sample[]): Metric[] => [
  {
    what: `commands an order more than without an archive, ${what}`,
    unit: '',
    rounds: roundsOf(on.map((sample) => addedCommands(sample, filters))),
    must: { atMost: 0.1 },
  },
  {
    what: 'all commands, over those without',
    unit: '',
    rounds: roundsOf(on.map(({ commands }, i) => commands - (off[i]?.commands ?? Number.NaN))),
  },
  metricOf('commands an order', '', on, ({ commands }) => commands),
]

/**
 * Counted by their names, since all commands of an order change with the size of its group. A claim
 * reads each filter, and what is known of the archive. A conclusion appends to the outbox instead
 * of asking whether it is on; where it asks, that is one more.
 */
const addedCommands = ({ byCommand }: Sample, filters: number): number => {
  const counts = new Map(byCommand)
  const claims = (counts.get('bitfield') ?? 0) / filters
  return claims * (filters + 1) + (counts.get('hexists') ?? 0)
}

async function subject(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  name: string,
  filters = 0,
): Promise<Subject> {
  const redis = await redisFor(testBed, stack, name.replace(' ', '-'))
  if (filters > 0) await giveFilters(redis, filters)
  const worker = await workerFor(testBed, stack, redis.address)
  const driver = await commanded(stack, 'driver', 'drivers/store-driver.ts', {
    REDIS_URL: redis.url,
  })
  const programs = [worker, { name: 'redis', pid: redis.pid }]
  return { name, driver, redis, programs, load: {}, next: 0 }
}

/** Switches the outbox on, and fills all filters but the last one. */
async function giveFilters({ address, url }: BenchRedis, filters: number): Promise<void> {
  const connection = new Redis(url)
  const store = await openArchiverStore({ address, shards: 1, onFault: () => {} })
  const archiveId = randomUUID()
  await store.states.switchOn(0, archiveId)
  for (let n = 0; n < filters; n += 1) {
    // As if as many orders were forgotten as there is room for.
    const full = (await store.forgetting.stateOf(0)).filters.map(
      ({ n, bytes }) => `${n}:${bytes}:${Math.floor(bytes / 2)}`,
    )
    if (full.length > 0) await connection.hset(archiveKey(0), 'filters', full.join(' '))
    await store.forgetting.forget(0, {
      archiveId,
      version: 0,
      dueAt: 0,
      from: '',
      to: '',
      orders: [none],
    })
  }
  await store.close()
  await connection.quit()
}

/** There is no record of it, so that nothing but the filter is made. */
const none = {
  orderId: orderIdOf({ acquirerId: 'A', paymentId: 'P' }),
  terms: '',
  outcome: '',
  paymentRequestId: '',
  concludedAt: 0,
}
