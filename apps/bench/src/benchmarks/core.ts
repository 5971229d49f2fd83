import type { Figure } from '../report/metric.ts'
import type { Sample, Subject } from '../test-bed/measure.ts'
import { asked, type House, redisFor, workerFor } from '../test-bed/test-bed.ts'
import { alternate, commandsNote, cpuNote, finding, ratio } from './rounds.ts'

/** Orders in hand at once. */
const IN_HAND = 64

/** Jobs a worker of the obvious way and of bee-queue has in hand: all there are. */
const CONCURRENCY = '64'

/** Take-in, decision and announcement, without HTTP and signature: ours, the obvious way, and bee-queue. */
export async function core(house: House): Promise<Figure> {
  await using stack = new AsyncDisposableStack()
  const subjects = [
    await ours(house, stack),
    await baseline(house, stack, 'the obvious way', 'obvious'),
    await baseline(house, stack, 'bee-queue', 'bee'),
  ]
  const samples = await alternate(house, house.plan.short ? subjects.slice(0, 2) : subjects)
  const of = (name: string) => samples.get(name) ?? []
  const perSecond = (sample: Sample) => sample.perSecond
  const names = [...samples.keys()]
  return {
    name: 'core',
    title: `Taking in, deciding and announcing, without HTTP and signature, ${IN_HAND} in hand`,
    findings: [
      ratio(
        'placeorder over the obvious way',
        [of('placeorder'), of('the obvious way')],
        perSecond,
        {
          atLeast: house.plan.short ? 3 : 5,
          aim: 8,
        },
      ),
      ...(samples.has('bee-queue')
        ? [ratio('placeorder over bee-queue', [of('placeorder'), of('bee-queue')], perSecond)]
        : []),
      ...names.map((name) => finding(`${name}, throughput`, 'orders/s', of(name), perSecond)),
      ...names.map((name) => finding(`${name}, p50`, 'ms', of(name), ({ p50 }) => p50)),
      ...names.map((name) => finding(`${name}, p99`, 'ms', of(name), ({ p99 }) => p99)),
      ...names.map((name) =>
        finding(
          `${name}, Redis commands an order`,
          '',
          of(name),
          ({ commands }) => commands,
          ...(name === 'placeorder' && !house.plan.short ? [{ atMost: 24, aim: 15 }] : []),
        ),
      ),
    ],
    notes: names.flatMap((name) => [cpuNote(name, of(name)), commandsNote(name, of(name))]),
  }
}

async function ours(house: House, stack: AsyncDisposableStack): Promise<Subject> {
  const redis = await redisFor(house, stack, 'ours')
  const worker = await workerFor(house, stack, redis.address)
  const driver = await asked(stack, 'driver', 'drivers/store-driver.ts', { REDIS_URL: redis.url })
  return {
    name: 'placeorder',
    driver,
    redis,
    programs: [worker, { name: 'redis', pid: redis.pid }],
    load: { inHand: IN_HAND },
    next: 0,
  }
}

async function baseline(
  house: House,
  stack: AsyncDisposableStack,
  name: string,
  file: 'obvious' | 'bee',
): Promise<Subject> {
  const redis = await redisFor(house, stack, file)
  const env = { REDIS_URL: redis.url, POLICY_FILE: house.files.policy, CONCURRENCY }
  const worker = await asked(stack, 'worker', `baselines/${file}-worker.ts`, env)
  const driver = await asked(stack, 'driver', `baselines/${file}-driver.ts`, env)
  return {
    name,
    driver,
    redis,
    programs: [worker, { name: 'redis', pid: redis.pid }],
    load: { inHand: IN_HAND },
    next: 0,
  }
}
