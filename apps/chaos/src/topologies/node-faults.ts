import type { ActiveFault, Faults } from '../faults.ts'
import type { Random } from '../random.ts'
import type { ChaosTestBed } from '../test-bed.ts'
import type { RedisNode } from './redis-node.ts'

/** Steps of a clock (s): NTP after a bad boot, a wrong time zone, a wrong day. */
const STEPS_S = [5, -5, 90, -90, 3_600, -3_600, 86_400, -86_400, 3 * 86_400, -3 * 86_400]

/** A Redis that has this much memory left (bytes) soon refuses writes. */
const MEMORY_LEFT = 32_768

/** Injects a fault into one of these servers that has none; undefined if all have one. */
export async function onNode(
  nodes: readonly RedisNode[],
  testBed: ChaosTestBed,
  random: Random,
  inject: (node: RedisNode) => Promise<ActiveFault['heal']>,
): Promise<ActiveFault | undefined> {
  const node = testBed.take([...nodes], random)
  if (node === undefined) return undefined
  const heal = await inject(node)
  return { on: node.name, heal: () => testBed.heal(node, heal) }
}

/** Injects a fault into all of these servers at once; undefined if one of them has another. */
export async function onAll(
  nodes: readonly { name: string }[],
  testBed: ChaosTestBed,
  random: Random,
  inject: () => Promise<ActiveFault | undefined>,
): Promise<ActiveFault | undefined> {
  const taken = nodes.flatMap((node) => testBed.take([node], random) ?? [])
  const giveBack = async () => {
    for (const node of taken) await testBed.heal(node, () => {})
  }
  const active = taken.length === nodes.length ? await inject() : undefined
  if (active === undefined) await giveBack()
  return (
    active && {
      on: active.on,
      heal: async () => {
        await active.heal()
        await giveBack()
      },
    }
  )
}

/** The faults of any Redis server. */
export function nodeFaults(nodes: readonly RedisNode[], pauseMsMax = 5_000): Faults {
  return {
    'kill Redis': {
      holdMs: [0, 2_000],
      inject: (testBed, random) =>
        onNode(nodes, testBed, random, async (node) => {
          await node.kill()
          return () => node.start()
        }),
    },
    'stop Redis': {
      holdMs: [500, pauseMsMax],
      inject: (testBed, random) =>
        onNode(nodes, testBed, random, async (node) => {
          node.signal('SIGSTOP')
          return () => node.signal('SIGCONT')
        }),
    },
    'fill the memory': {
      holdMs: [1_000, 4_000],
      inject: (testBed, random) =>
        onNode(nodes, testBed, random, async (node) => {
          const memory = String(await node.command('INFO', 'memory').catch(() => ''))
          const used = Number(/used_memory:(\d+)/.exec(memory)?.[1] ?? 0)
          const limit = (bytes: number) =>
            node.command('CONFIG', 'SET', 'maxmemory', bytes).catch(() => {})
          if (used > 0) await limit(used + MEMORY_LEFT)
          return async () => void (await limit(0))
        }),
    },
    ...(nodes.every(({ clock }) => clock !== undefined) ? clockFault(nodes) : {}),
  }
}

function clockFault(nodes: readonly RedisNode[]): Faults {
  return {
    'step the clock of Redis': {
      holdMs: [1_500, 5_000],
      inject: async (testBed, random) => {
        const seconds = random.pick(STEPS_S)
        const active = await onNode(nodes, testBed, random, async ({ clock }) => {
          await clock?.step(seconds)
          return () => clock?.step(0)
        })
        return active && { ...active, on: `${active.on} by ${seconds} s` }
      },
    },
  }
}
