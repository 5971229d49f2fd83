import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { findRedisServer, freePort, startLocalRedis } from '@placeorder/local-services/redis'
import { Redis } from 'ioredis'

/** A Redis Cluster of local masters, each durable. */
export type RedisCluster = {
  /** The value of REDIS_URL. */
  urls: string[]
  /** The ports of its masters, by number. */
  ports: number[]
  /** The process ids of its masters, by number. */
  pids: () => number[]
  /** Kills a node; resolves when it has ended. */
  kill: (node: number) => Promise<void>
  /** Starts a killed node again, with its data. */
  restart: (node: number) => Promise<void>
  close: () => Promise<void>
}

const SLOTS = 16_384

/** How long the masters may take until all report `cluster_state:ok` (ms). */
const AGREE_MS_MAX = 30_000

export type ClusterOptions = {
  masters?: number
  /** Where its data is stored until it is closed; by default in the folder for temporary files. */
  dir?: string
  /** For how long a node may not answer until the others take it for dead. */
  nodeTimeoutMs?: number
}

export async function startCluster({
  masters = 3,
  nodeTimeoutMs = 2_000,
  ...options
}: ClusterOptions = {}): Promise<RedisCluster> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'placeorder-cluster-')))
  const binary = await findRedisServer()
  const places = await Promise.all(
    Array.from({ length: masters }, async (_, i) => ({
      dir: join(dir, String(i)),
      port: await freePort(),
      busPort: await freePort(),
    })),
  )
  const start = ({ dir, port, busPort }: (typeof places)[number]) =>
    startLocalRedis(binary, {
      dir,
      port,
      args: [
        '--cluster-enabled',
        'yes',
        '--cluster-port',
        String(busPort),
        '--cluster-node-timeout',
        String(nodeTimeoutMs),
      ],
    })
  const nodes = await Promise.all(places.map(start))
  await joinCluster(places)
  return {
    urls: nodes.map(({ url }) => url),
    ports: places.map(({ port }) => port),
    pids: () => nodes.map(({ process }) => process.pid ?? -1),
    kill: async (node) => {
      nodes[node]?.process.kill('SIGKILL')
      await nodes[node]?.ended
    },
    restart: async (node) => {
      const place = places[node]
      if (place !== undefined) nodes[node] = await start(place)
    },
    close: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Gives each master its share of the slots, and joins all of them into one Cluster. */
export async function joinCluster(nodes: { port: number; busPort: number }[]): Promise<void> {
  const connections = nodes.map(({ port }) => new Redis({ port, host: '127.0.0.1' }))
  try {
    for (const [i, connection] of connections.entries()) {
      const from = Math.floor((i * SLOTS) / nodes.length)
      const to = Math.floor(((i + 1) * SLOTS) / nodes.length) - 1
      await connection.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
      const first = nodes[0]
      if (first && i > 0)
        await connection.call('CLUSTER', 'MEET', '127.0.0.1', first.port, first.busPort)
    }
    const deadline = performance.now() + AGREE_MS_MAX
    const agrees = async (connection: Redis) => {
      const info = String(await connection.call('CLUSTER', 'INFO'))
      return info.includes('cluster_state:ok') && info.includes(`cluster_size:${nodes.length}`)
    }
    while (!(await Promise.all(connections.map(agrees))).every((agreed) => agreed)) {
      if (performance.now() > deadline)
        throw new Error('the masters did not form a Cluster in time')
      await wait(50)
    }
  } finally {
    for (const connection of connections) connection.disconnect()
  }
}
