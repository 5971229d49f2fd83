import type { RedisAddress } from '@placeorder/store'
import type { Benchmark } from '../report/metric.ts'
import { startBenchCluster } from '../test-bed/cluster.ts'
import type { Subject } from '../test-bed/measure.ts'
import { startRedis } from '../test-bed/redis.ts'
import { commanded, importDirectory, type TestBed, workerFor } from '../test-bed/test-bed.ts'
import { alternate, metricOf } from './rounds.ts'

/**
 * The same for every number of shards: only the number of groups the orders are divided among
 * changes.
 */
const IN_FLIGHT = 256

type Deployment = { name: string; shards: number; cluster: boolean }
const deployments: readonly Deployment[] = [
  { name: 'one Redis, 1 shard', shards: 1, cluster: false },
  { name: 'one Redis, 4 shards', shards: 4, cluster: false },
  { name: 'one Redis, 16 shards', shards: 16, cluster: false },
  { name: 'three nodes, 4 shards', shards: 4, cluster: true },
  { name: 'three nodes, 16 shards', shards: 16, cluster: true },
]

/**
 * Measures what an order costs when orders are divided among shards, on one server and a Cluster.
 */
export async function shards(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const subjects: Subject[] = []
  for (const deployment of deployments) subjects.push(await subjectOf(testBed, stack, deployment))
  const samples = await alternate(testBed, subjects)
  const lines = deployments.flatMap(({ name }) => {
    const of = samples.get(name) ?? []
    const cpu = (process: RegExp) => (one: (typeof of)[number]) =>
      Object.entries(one.cpuUs).reduce((sum, [key, us]) => (process.test(key) ? sum + us : sum), 0)
    return [
      metricOf(`${name}: throughput`, 'orders/s', of, (one) => one.perSecond),
      metricOf(`${name}: Redis CPU per order, all nodes`, 'µs', of, cpu(/^redis/)),
      metricOf(`${name}: worker CPU per order`, 'µs', of, cpu(/^worker/)),
      metricOf(`${name}: Redis commands per order`, '', of, (one) => one.commands),
      ...(samples.get(name)?.[0]?.cpuUs['redis 2'] === undefined
        ? []
        : [
            metricOf(`${name}: busiest node's share of Redis CPU`, '%', of, ({ cpuUs }) => {
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
    title: `Shards, without HTTP and signatures, ${IN_FLIGHT} in flight`,
    metrics: lines,
    notes: [
      'On the Cluster, limits and decisions share one slot, {u}; its owner is the busiest node.',
    ],
  }
}

async function subjectOf(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  deployment: Deployment,
): Promise<Subject> {
  const { address, pids, counters } = await redisOf(testBed, stack, deployment)
  await importDirectory(address, deployment.shards)
  const env = {
    REDIS_URL: address.urls.join(','),
    REDIS_CLUSTER: String(address.cluster),
    SHARDS: String(deployment.shards),
  }
  const worker = await workerFor(testBed, stack, address, {
    env: { SHARDS: String(deployment.shards) },
  })
  const driver = await commanded(stack, 'driver', 'drivers/store-driver.ts', env)
  const nodes = pids.map((pid, at) => ({ name: pids.length === 1 ? 'redis' : `redis ${at}`, pid }))
  return {
    name: deployment.name,
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
  deployment: Deployment,
): Promise<{
  address: RedisAddress
  pids: number[]
  counters: NonNullable<Subject['redis']>['counters']
}> {
  if (deployment.cluster) {
    const cluster = await startBenchCluster(`${dir}/${deployment.shards}`)
    stack.defer(cluster.close)
    return cluster
  }
  const redis = await startRedis(dir, `shards-${deployment.shards}`)
  stack.defer(redis.close)
  return { ...redis, pids: [redis.pid] }
}
