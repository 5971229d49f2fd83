import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { findRedisServer, freePort, startLocalRedis } from '@placeorder/local-services/redis'
import { Redis } from 'ioredis'

/** A Redis Cluster of local masters, each durable. */
export type RedisCluster = {
  /** For REDIS_URL. */
  urls: string[]
  /** The ports of its masters, by number. */
  ports: number[]
  /** Kills a node; resolves when it is gone. */
  kill: (node: number) => Promise<void>
  /** Starts a node again that was killed, with what it had. */
  restart: (node: number) => Promise<void>
  close: () => Promise<void>
}

const SLOTS = 16_384

/** How long the masters may take to agree (ms). */
const AGREE_MS_MAX = 30_000

export async function startCluster(masters = 3): Promise<RedisCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-cluster-'))
  const binary = await findRedisServer()
  const options = await Promise.all(
    Array.from({ length: masters }, async (_, i) => ({
      dir: join(dir, String(i)),
      port: await freePort(),
      busPort: await freePort(),
    })),
  )
  const start = ({ dir, port, busPort }: (typeof options)[number]) =>
    startLocalRedis(binary, {
      dir,
      port,
      args: [
        '--cluster-enabled',
        'yes',
        '--cluster-port',
        String(busPort),
        '--cluster-node-timeout',
        '2000',
      ],
    })
  const nodes = await Promise.all(options.map(start))
  await introduce(options)
  return {
    urls: nodes.map(({ url }) => url),
    ports: options.map(({ port }) => port),
    kill: async (node) => {
      const killed = nodes[node]?.process
      if (killed === undefined) return
      const gone = once(killed, 'exit')
      killed.kill('SIGKILL')
      await gone
    },
    restart: async (node) => {
      const again = options[node]
      if (again !== undefined) nodes[node] = await start(again)
    },
    close: async () => {
      await Promise.all(nodes.map((node) => node.stop()))
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Gives each master its share of the slots, and has all meet the first one. */
export async function introduce(nodes: { port: number; busPort: number }[]): Promise<void> {
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
      if (performance.now() > deadline) throw new Error('the masters of a Cluster did not agree')
      await wait(50)
    }
  } finally {
    for (const connection of connections) connection.disconnect()
  }
}
