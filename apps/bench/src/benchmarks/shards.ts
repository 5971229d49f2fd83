import type { RedisAddress } from '@placeorder/store'
import type { Benchmark } from '../report/metric.ts'
import { startCluster } from '../test-bed/cluster.ts'
import type { Subject } from '../test-bed/measure.ts'
import { startRedis } from '../test-bed/redis.ts'
import { asked, importDirectory, type TestBed, workerFor } from '../test-bed/test-bed.ts'
import { alternate, finding } from './rounds.ts'

/** As many in hand whatever the number of shards: what changes is among how many groups they are divided. */
const IN_FLIGHT = 256

type Place = { name: string; shards: number; cluster: boolean }
const places: readonly Place[] = [
  { name: 'one Redis, 1 shard', shards: 1, cluster: false },
  { name: 'one Redis, 4 shards', shards: 4, cluster: false },
  { name: 'one Redis, 16 shards', shards: 16, cluster: false },
  { name: 'three nodes, 4 shards', shards: 4, cluster: true },
  { name: 'three nodes, 16 shards', shards: 16, cluster: true },
]

/** What an order costs when the orders are divided among shards, on one server and on a Cluster. */
export async function shards(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const subjects: Subject[] = []
  for (const place of places) subjects.push(await subjectOf(testBed, stack, place))
  const samples = await alternate(testBed, subjects)
  const lines = places.flatMap(({ name }) => {
    const of = samples.get(name) ?? []
    const cpu = (process: RegExp) => (one: (typeof of)[number]) =>
      Object.entries(one.cpuUs).reduce((sum, [key, us]) => (process.test(key) ? sum + us : sum), 0)
    return [
      finding(`${name}: throughput`, 'orders/s', of, (one) => one.perSecond),
      finding(`${name}: Redis CPU an order, all nodes`, 'µs', of, cpu(/^redis/)),
      finding(`${name}: worker CPU an order`, 'µs', of, cpu(/^worker/)),
      finding(`${name}: Redis commands an order`, '', of, (one) => one.commands),
      ...(samples.get(name)?.[0]?.cpuUs['redis 2'] === undefined
        ? []
        : [
            finding(`${name}: busiest node's share of Redis CPU`, '%', of, ({ cpuUs }) => {
              const nodes = Object.entries(cpuUs).flatMap(([key, us]) =>
                key.startsWith('redis') ? [us] : [],
              )
              return (100 * Math.max(...nodes)) / nodes.reduce((sum, us) => sum + us, 0)
            }),
          ]),
    ]
  })
  return {
    name: 'shards',
    title: `Shards, without HTTP and signature, ${IN_FLIGHT} in flight`,
    metrics: lines,
    notes: [
      'On the Cluster, limits and decisions share one slot, {u}: the node that has it is the busiest.',
    ],
  }
}

async function subjectOf(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  place: Place,
): Promise<Subject> {
  const { address, pids, counters } = await redisOf(testBed, stack, place)
  await importDirectory(address, place.shards)
  const env = {
    REDIS_URL: address.urls.join(','),
    REDIS_CLUSTER: String(address.cluster),
    SHARDS: String(place.shards),
  }
  const worker = await workerFor(testBed, stack, address, { SHARDS: String(place.shards) })
  const driver = await asked(stack, 'driver', 'drivers/store-driver.ts', env)
  const nodes = pids.map((pid, at) => ({ name: pids.length === 1 ? 'redis' : `redis ${at}`, pid }))
  return {
    name: place.name,
    driver,
    redis: { counters },
    programs: [worker, ...nodes],
    load: { inFlight: IN_FLIGHT },
    next: 0,
  }
}

async function redisOf(
  { dir }: TestBed,
  stack: AsyncDisposableStack,
  place: Place,
): Promise<{
  address: RedisAddress
  pids: number[]
  counters: NonNullable<Subject['redis']>['counters']
}> {
  if (place.cluster) {
    const cluster = await startCluster(`${dir}/${place.shards}`)
    stack.defer(cluster.close)
    return cluster
  }
  const redis = await startRedis(dir, `shards-${place.shards}`)
  stack.defer(redis.close)
  return { ...redis, pids: [redis.pid] }
}
