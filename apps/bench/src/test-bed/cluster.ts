import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { connect, disconnect, type RedisAddress } from '@placeorder/store'
import { countersOf, type RedisCounters } from './redis.ts'

/** A Cluster of masters on this machine, as durable as one server of the bench. */
export type BenchCluster = {
  address: RedisAddress
  pids: number[]
  counters: () => Promise<RedisCounters>
  close: () => Promise<void>
}

const NODES = 3
const SLOTS = 16_384

/** How long the nodes may take to know each other (ms). */
const JOIN_MS_MAX = 30_000

export async function startCluster(dir: string): Promise<BenchCluster> {
  const server = await findRedisServer()
  const homes = Array.from({ length: NODES }, (_, at) => join(dir, `redis-node-${at}`))
  const args = ['--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'yes']
  const servers = await Promise.all(
    homes.map((home) => startLocalRedis(server, { dir: home, args })),
  )
  const nodes = servers.map(({ url }) => {
    const node = connect(
      { urls: [url], cluster: false, sentinels: [], sentinelName: '' },
      'patient',
    )
    node.on('error', () => {}) // The command that fails says so.
    return node
  })
  for (const [at, node] of nodes.entries()) {
    const [first, after] = [at, at + 1].map((bound) => Math.floor((SLOTS * bound) / NODES))
    await node.call('CLUSTER', 'ADDSLOTSRANGE', String(first), String((after ?? SLOTS) - 1))
    for (const { port } of servers) await node.call('CLUSTER', 'MEET', '127.0.0.1', String(port))
  }
  const deadline = performance.now() + JOIN_MS_MAX
  for (const node of nodes) {
    while (!String(await node.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) {
      if (performance.now() > deadline)
        throw new Error('the nodes of the Cluster do not find each other')
      await wait(50)
    }
  }
  return {
    address: {
      urls: servers.map(({ url }) => url),
      cluster: true,
      sentinels: [],
      sentinelName: '',
    },
    pids: servers.map(({ process }) => process.pid ?? -1),
    counters: async () =>
      sumOf(
        await Promise.all(
          nodes.map(async (node) => countersOf(await node.info(), await node.info('commandstats'))),
        ),
      ),
    close: async () => {
      await Promise.all(nodes.map(disconnect))
      await Promise.all(servers.map(({ stop }) => stop()))
      await Promise.all(homes.map((home) => rm(home, { recursive: true, force: true })))
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
  }
}
