import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@placeorder/local-services/redis'
import { openSystem, type System } from '@placeorder/testkit'
import { clockFaults, type Faults, processFaults } from './faults.ts'
import type { History } from './history/history.ts'
import { Member } from './member.ts'
import type { Random } from './random.ts'
import { openCluster } from './topologies/cluster.ts'
import { openFakeClock } from './topologies/fake-clock.ts'
import type { RedisNode } from './topologies/redis-node.ts'
import { openSentinel } from './topologies/sentinel.ts'
import { openSingle } from './topologies/single.ts'
import type { Link, Topology, TopologyName } from './topologies/topology.ts'

/** A system with two ingresses and two workers, and all that can be broken of it. */
export type TestBed = {
  system: System
  topology: Topology
  /** The Redis server, or the first of several. */
  redis: RedisNode
  members: Member[]
  links: Link[]
  faults: Faults
  /** Takes one that is whole, to be broken; undefined when all are broken. */
  take: <T extends { name: string }>(choices: readonly T[], random: Random) => T | undefined
  /** Heals it; it is then whole. */
  giveBack: (taken: { name: string }, heal: () => unknown) => Promise<void>
  takeLink: (link: Link) => boolean
  healLink: (link: Link) => Promise<void>
  close: () => Promise<void>
}

/** The wait for an outcome, in ms: shorter than in production, so that more waits run out. */
export const WAIT_MS = 1_500

/** Two, so that orders of one group of callers are spread over tags as on a Cluster. */
export const SHARDS = 2

export type TestBedOptions = {
  history: History
  random: Random
  onProcessFailure: (what: string) => void
  topology?: TopologyName
  /** The processes; whose name begins with `ingress` is one. */
  names?: readonly string[]
  /** Settings that are to be other than those of chaos. */
  settings?: Readonly<Record<string, string>>
}

const allProcesses = ['ingress-1', 'ingress-2', 'worker-1', 'worker-2']

const openTopology: Record<TopologyName, (dir: string, random: Random) => Promise<Topology>> = {
  single: (dir, random) => openSingle(dir, () => random.next()),
  sentinel: openSentinel,
  cluster: openCluster,
}

/** Starts Redis, with its files below `dir`. The processes are not started yet. */
export async function openTestBed(dir: string, options: TestBedOptions): Promise<TestBed> {
  const { history, random, onProcessFailure, names = allProcesses, settings = {} } = options
  await mkdir(join(dir, 'logs'), { recursive: true })
  const topology = await openTopology[options.topology ?? 'single'](dir, random)
  const env = { WAIT_MS: String(WAIT_MS), SHARDS: String(SHARDS), ...topology.env, ...settings }
  const system = await openSystem({ env })
  const members: Member[] = []
  for (const name of names) {
    const kind = name.startsWith('ingress') ? 'ingress' : 'worker'
    const log = join(dir, 'logs', `${name}.log`)
    const clock = await openFakeClock(dir, name)
    const { env, link } = await topology.connect(name)
    const deps = { system, history, env, link, clock, log, onProcessFailure }
    members.push(new Member(kind, name, await freePort(), deps))
  }
  const clocked = members.every(({ clock }) => clock !== undefined)
  const broken = new Set<string>()
  return {
    system,
    topology,
    redis: topology.nodes[0],
    members,
    links: topology.links,
    faults: { ...processFaults, ...(clocked ? clockFaults : {}), ...topology.faults },
    take: (choices, by) => {
      const whole = choices.filter(({ name }) => !broken.has(name))
      if (whole.length === 0) return undefined
      const taken = by.pick(whole)
      broken.add(taken.name)
      return taken
    },
    giveBack: async ({ name }, heal) => {
      await heal()
      broken.delete(name)
    },
    takeLink: ({ name }) => !broken.has(name) && broken.add(name) !== undefined,
    healLink: async ({ name, proxy }) => {
      await proxy.heal()
      broken.delete(name)
    },
    close: async () => {
      await system.close()
      await topology.close()
    },
  }
}
