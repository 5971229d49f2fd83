import type { Benchmark } from '../report/metric.ts'
import { coreShareOf, type Sample, type Subject } from '../test-bed/measure.ts'
import { commanded, redisFor, type TestBed, workerFor } from '../test-bed/test-bed.ts'
import { alternate, commandsNote, cpuNote, metricOf, ratio } from './rounds.ts'

/** Orders in flight at once. */
const IN_FLIGHT = 64

/** Concurrency of the naive BullMQ and the bee-queue worker: enough for all orders in flight. */
const CONCURRENCY = '64'

/**
 * Accepts, decides and announces orders without HTTP and signatures: placeorder, naive BullMQ and
 * bee-queue.
 */
export async function core(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const subjects = [
    await ours(testBed, stack),
    await baseline(testBed, stack, 'naive BullMQ', 'naive'),
    await baseline(testBed, stack, 'bee-queue', 'bee'),
  ]
  const samples = await alternate(testBed, testBed.plan.short ? subjects.slice(0, 2) : subjects)
  const of = (name: string) => samples.get(name) ?? []
  const perSecond = (sample: Sample) => sample.perSecond
  const names = [...samples.keys()]
  return {
    name: 'core',
    title:
      'Accepting, deciding and announcing, without HTTP and signatures, ' +
      `${IN_FLIGHT} in flight`,
    metrics: [
      ratio('placeorder over naive BullMQ', [of('placeorder'), of('naive BullMQ')], perSecond, {
        ...(testBed.plan.short ? { atLeast: 3 } : { atLeast: 8, aim: 10 }),
      }),
      ...(testBed.plan.short
        ? []
        : [
            ratio('placeorder over bee-queue', [of('placeorder'), of('bee-queue')], perSecond, {
              atLeast: 2,
              aim: 3,
            }),
            metricOf('placeorder, share of all cores in use', '×', of('placeorder'), coreShareOf, {
              atLeast: 0.8,
              aim: 0.9,
            }),
          ]),
      ...names.map((name) => metricOf(`${name}, throughput`, 'orders/s', of(name), perSecond)),
      ...names.map((name) => metricOf(`${name}, p50`, 'ms', of(name), ({ p50 }) => p50)),
      ...names.map((name) => metricOf(`${name}, p99`, 'ms', of(name), ({ p99 }) => p99)),
      ...names.map((name) =>
        metricOf(
          `${name}, Redis commands per order`,
          '',
          of(name),
          ({ commands }) => commands,
          ...(name === 'placeorder' && !testBed.plan.short ? [{ atMost: 24, aim: 15 }] : []),
        ),
      ),
    ],
    notes: names.flatMap((name) => [cpuNote(name, of(name)), commandsNote(name, of(name))]),
  }
}

async function ours(testBed: TestBed, stack: AsyncDisposableStack): Promise<Subject> {
  const redis = await redisFor(testBed, stack, 'ours')
  const worker = await workerFor(testBed, stack, redis.address)
  const driver = await commanded(stack, 'driver', 'drivers/store-driver.ts', {
    REDIS_URL: redis.url,
  })
  return {
    name: 'placeorder',
    driver,
    redis,
    programs: [worker, { name: 'redis', pid: redis.pid }],
    load: { inFlight: IN_FLIGHT },
    next: 0,
  }
}

async function baseline(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  name: string,
  file: 'naive' | 'bee',
): Promise<Subject> {
  const redis = await redisFor(testBed, stack, file)
  const env = { REDIS_URL: redis.url, POLICY_FILE: testBed.files.policy, CONCURRENCY }
  const worker = await commanded(stack, 'worker', `baselines/${file}-worker.ts`, env)
  const driver = await commanded(stack, 'driver', `baselines/${file}-driver.ts`, env)
  return {
    name,
    driver,
    redis,
    programs: [worker, { name: 'redis', pid: redis.pid }],
    load: { inFlight: IN_FLIGHT },
    next: 0,
  }
}
