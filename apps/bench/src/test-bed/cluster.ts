import { join } from 'node:path'
import { connect, disconnect, type RedisAddress } from '@placeorder/store'
import { startCluster } from '@placeorder/testkit/redis-cluster'
import { countersOf, type RedisCounters } from './redis.ts'

/** A Cluster of masters on this machine, each as durable as a single server of the benchmarks. */
export type BenchCluster = {
  address: RedisAddress
  pids: number[]
  counters: () => Promise<RedisCounters>
  close: () => Promise<void>
}

/** Redis's default. Under full load a node may be late for longer than tests allow. */
const NODE_TIMEOUT_MS = 15_000

export async function startBenchCluster(dir: string): Promise<BenchCluster> {
  const cluster = await startCluster({
    dir: join(dir, 'redis-cluster'),
    nodeTimeoutMs: NODE_TIMEOUT_MS,
  })
  const nodes = cluster.urls.map((url) => {
    const address = { urls: [url], cluster: false, sentinels: [], sentinelName: '' }
    const node = connect(address, 'patient')
    node.on('error', () => {}) // The command that fails says so.
    return node
  })
  const countersOfAll = () =>
    Promise.all(
      nodes.map(async (node) => countersOf(await node.info(), await node.info('commandstats'))),
    )
  return {
    address: { urls: cluster.urls, cluster: true, sentinels: [], sentinelName: '' },
    pids: cluster.pids(),
    counters: async () => sumOf(await countersOfAll()),
    close: async () => {
      await Promise.all(nodes.map(disconnect))
      await cluster.close()
    },
  }
}

function sumOf(all: readonly RedisCounters[]): RedisCounters {
  const commands = new Map<string, number>()
  for (const { commands: some } of all)
    for (const [name, count] of some) commands.set(name, (commands.get(name) ?? 0) + count)
  return {
    commands,
    outputBytes: all.reduce((sum, { outputBytes }) => sum + outputBytes, 0),
    usedMemoryBytes: all.reduce((sum, { usedMemoryBytes }) => sum + usedMemoryBytes, 0),
    socketWrites: all.reduce((sum, { socketWrites }) => sum + socketWrites, 0),
  }
}
