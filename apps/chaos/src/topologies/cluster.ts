import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@placeorder/local-services/redis'
import { joinCluster, migrateSlot } from '@placeorder/testkit'
import type { Faults } from '../faults.ts'
import { nodeFaults, onAll } from './node-faults.ts'
import { RedisNode } from './redis-node.ts'
import type { Topology } from './topology.ts'

const MASTERS = 3

/** How long the masters may take until all report `cluster_state:ok` again (ms). */
const AGREE_MS_MAX = 40_000

/**
 * The pause between two batches of keys of a moving slot (ms), so that orders meet it half moved.
 */
const BATCH_MS = 20

/** Tags whose slots move: limits and decisions, and two shards. */
const TAGS = ['{u}', '{s0}', '{s1}']

/** A Cluster of three durable masters. */
export async function openCluster(dir: string): Promise<Topology> {
  const nodes: RedisNode[] = []
  const ports: { port: number; busPort: number }[] = []
  for (let n = 1; n <= MASTERS; n += 1) {
    const busPort = await freePort()
    const bus = ['--cluster-port', String(busPort), '--cluster-node-timeout', '2000']
    const args = ['--cluster-enabled', 'yes', ...bus]
    const node = await RedisNode.open(`redis-${n}`, join(dir, `redis-${n}`), args)
    nodes.push(node)
    ports.push({ port: node.port, busPort })
  }
  await joinCluster(ports)
  const [first, ...others] = nodes
  if (first === undefined) throw new Error('a Cluster has masters')
  const env = { REDIS_URL: nodes.map(({ url }) => url).join(',') }
  return {
    name: 'cluster',
    nodes: [first, ...others],
    links: [],
    disk: undefined,
    env,
    connect: async () => ({ env }),
    faults: { ...nodeFaults(nodes), ...migrations(nodes) },
    settle: () => untilAgreed(nodes),
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()))
    },
  }
}

/**
 * A slot moves only while no other fault of a master is active: a move that fails half way is not
 * tested.
 */
const migrations = (nodes: readonly RedisNode[]): Faults => ({
  'migrate a slot': {
    holdMs: [0, 1_000],
    inject: (testBed, random) =>
      onAll(nodes, testBed, random, async () => {
        const [key, to] = [random.pick(TAGS), random.pick(nodes)]
        const ports = nodes.map(({ port }) => port)
        await migrateSlot({ ports, key, to: to.port, between: () => wait(BATCH_MS) })
        return { on: `${key} to ${to.name}`, heal: () => {} }
      }),
  },
})

async function untilAgreed(nodes: readonly RedisNode[]): Promise<void> {
  const agrees = async (node: RedisNode) =>
    String(await node.command('CLUSTER', 'INFO').catch(() => '')).includes('cluster_state:ok')
  const deadline = performance.now() + AGREE_MS_MAX
  while (!(await Promise.all(nodes.map(agrees))).every((agreed) => agreed)) {
    if (performance.now() > deadline) throw new Error('the masters of a Cluster did not agree')
    await wait(100)
  }
}
