import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '@placeorder/local-services/redis'
import { sentinelMaster, startSentinel } from '@placeorder/testkit'
import type { Faults } from '../faults.ts'
import { nodeFaults, onAll } from './node-faults.ts'
import { RedisNode } from './redis-node.ts'
import type { Topology } from './topology.ts'

/** How long a failover, and a replica's resynchronization, may take (ms). */
const CHANGE_MS_MAX = 40_000

/** For how long the master accepts orders that no replica has before it is killed (ms). */
const TAIL_MS = [300, 1_500] as const

/**
 * A master and its replica, with a sentinel that makes the replica master when the master is gone.
 */
export async function openSentinel(dir: string): Promise<Topology> {
  const args = ['--repl-diskless-sync-delay', '0']
  const one = await RedisNode.open('redis-1', join(dir, 'redis-1'), args)
  const two = await RedisNode.open('redis-2', join(dir, 'redis-2'), args)
  const nodes = [one, two] as const
  await two.command('REPLICAOF', '127.0.0.1', one.port)
  await one.until('replication', isComplete, CHANGE_MS_MAX)
  const port = await freePort()
  const sentinel = await startSentinel(dir, port, one.port)
  const env = {
    REDIS_SENTINELS: `127.0.0.1:${port}`,
    REDIS_SENTINEL_NAME: sentinelMaster,
    REPLICAS_MIN: '1',
  }
  const settle = async () => {
    const deadline = performance.now() + CHANGE_MS_MAX
    while (!(await isSettled(nodes))) {
      if (performance.now() > deadline) throw new Error('no master has its replica back')
      await wait(100)
    }
  }
  return {
    name: 'sentinel',
    nodes,
    links: [],
    disk: undefined,
    env,
    connect: async () => ({ env }),
    // A master that is stopped for longer than the sentinel waits comes back as a second one.
    faults: { ...nodeFaults(nodes, 8_000), ...failovers(nodes, settle) },
    settle,
    close: async () => {
      sentinel.kill('SIGKILL')
      await Promise.all(nodes.map((node) => node.close()))
    },
  }
}

function failovers(nodes: readonly RedisNode[], settle: () => Promise<void>): Faults {
  return {
    'fail over and lose the tail': {
      holdMs: [0, 3_000],
      inject: (testBed, random) =>
        onAll(nodes, testBed, random, async () => {
          const pair = await rolesOf(nodes)
          if (pair === undefined) return undefined
          const { master, replica } = pair
          // Stopped and disconnected, it does not get what its master accepts from now on.
          replica.signal('SIGSTOP')
          await master.command('CLIENT', 'KILL', 'TYPE', 'replica').catch(() => {})
          await wait(random.whole(...TAIL_MS))
          await master.kill()
          replica.signal('SIGCONT')
          await replica.until('replication', (info) => /role:master/.test(info), CHANGE_MS_MAX)
          const heal = async () => {
            await master.start()
            await settle()
          }
          return { on: `${master.name} to ${replica.name}`, heal }
        }),
    },
  }
}

const isComplete = (info: string): boolean => /role:master/.test(info) && /state=online/.test(info)

const infoOf = (node: RedisNode): Promise<string> =>
  node.command('INFO', 'replication').then(String, () => '')

/** The master and its replica; undefined while the roles are not clear. */
async function rolesOf(
  nodes: readonly RedisNode[],
): Promise<{ master: RedisNode; replica: RedisNode } | undefined> {
  const infos = await Promise.all(nodes.map(infoOf))
  const master = nodes.find((_, i) => isComplete(infos[i] ?? ''))
  const replica = nodes.find((_, i) => /role:slave/.test(infos[i] ?? ''))
  return master && replica && { master, replica }
}

const isSettled = async (nodes: readonly RedisNode[]): Promise<boolean> =>
  (await rolesOf(nodes)) !== undefined
