import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@placeorder/local-services/redis'
import { openSystem, type System } from '@placeorder/testkit'
import { type ChaosArchive, openChaosArchive } from './archive/chaos-archive.ts'
import { type ChaosEvents, openChaosEvents } from './events/chaos-events.ts'
import {
  archiverFaults,
  clockFaults,
  type Faults,
  notifierFaults,
  processFaults,
} from './faults.ts'
import type { History } from './history/history.ts'
import { ManagedProcess } from './managed-process.ts'
import type { Random } from './random.ts'
import { openCluster } from './topologies/cluster.ts'
import { openFakeClock } from './topologies/fake-clock.ts'
import type { RedisNode } from './topologies/redis-node.ts'
import { openSentinel } from './topologies/sentinel.ts'
import { openSingle } from './topologies/single.ts'
import type { Link, Topology, TopologyName } from './topologies/topology.ts'

/** A system with two ingresses and two workers, and the faults that can be injected into it. */
export type ChaosTestBed = {
  system: System
  topology: Topology
  /** The Redis server, or the first of several. */
  redis: RedisNode
  /** Undefined where no archiver is among the processes. */
  archive: ChaosArchive | undefined
  /** Undefined where no notifier is among the processes. */
  events: ChaosEvents | undefined
  processes: ManagedProcess[]
  links: Link[]
  faults: Faults
  /** Picks a healthy one and marks it as faulty; undefined if none is healthy. */
  take: <T extends { name: string }>(choices: readonly T[], random: Random) => T | undefined
  /** Runs `heal` and marks it as healthy. */
  heal: (taken: { name: string }, heal: () => unknown) => Promise<void>
  takeLink: (link: Link) => boolean
  healLink: (link: Link) => Promise<void>
  close: () => Promise<void>
}

/** WAIT_MS of the ingresses: shorter than in production, so that more waits time out. */
export const WAIT_MS = 1_500

/** Two, so that the orders of one ingress are spread over hash tags as on a Cluster. */
export const SHARDS = 2

export type ChaosTestBedOptions = {
  history: History
  random: Random
  onProcessFailure: (what: string) => void
  topology?: TopologyName
  /** The names of the processes: `ingress`, `worker`, `archiver` or `notifier`, and more. */
  names?: readonly string[]
  /** Which kinds of faults there are, by their names; all of them if undefined. */
  inject?: ((kind: string) => boolean) | undefined
  /** Settings that override those of the test bed. */
  settings?: Readonly<Record<string, string>>
}

export const ingressesAndWorkers = ['ingress-1', 'ingress-2', 'worker-1', 'worker-2']
export const archivers = ['archiver-1', 'archiver-2']
export const notifiers = ['notifier-1', 'notifier-2']

const kindOf = (name: string): ManagedProcess['kind'] =>
  (['ingress', 'archiver', 'notifier'] as const).find((kind) => name.startsWith(kind)) ?? 'worker'

const openTopology: Record<TopologyName, (dir: string, random: Random) => Promise<Topology>> = {
  single: (dir, random) => openSingle(dir, () => random.next()),
  sentinel: openSentinel,
  cluster: openCluster,
}

const chosen = (inject: (kind: string) => boolean = () => true, faults: Faults): Faults =>
  Object.fromEntries(Object.entries(faults).filter(([kind]) => inject(kind)))

/** Starts Redis with its files in `dir`. The processes are not started yet. */
export async function openChaosTestBed(
  dir: string,
  options: ChaosTestBedOptions,
): Promise<ChaosTestBed> {
  const { history, random, onProcessFailure, names = ingressesAndWorkers, settings = {} } = options
  await mkdir(join(dir, 'logs'), { recursive: true })
  const topology = await openTopology[options.topology ?? 'single'](dir, random)
  const env = { WAIT_MS: String(WAIT_MS), SHARDS: String(SHARDS), ...topology.env, ...settings }
  const system = await openSystem({ env })
  const has = (kind: ManagedProcess['kind']) => names.some((name) => kindOf(name) === kind)
  const archive = has('archiver')
    ? await openChaosArchive(dir, system, { random: random.fork(7), onFailure: onProcessFailure })
    : undefined
  const processes: ManagedProcess[] = []
  const origins = () =>
    processes.flatMap(({ kind, origin }) => (kind === 'notifier' ? [origin] : []))
  const events = has('notifier')
    ? await openChaosEvents(dir, { system, origins, hasArchive: archive !== undefined })
    : undefined
  for (const name of names) {
    const kind = kindOf(name)
    const log = join(dir, 'logs', `${name}.log`)
    const clock = await openFakeClock(dir, name)
    const { env: ofRedis, link } = await topology.connect(name)
    const ofEvents = kind === 'notifier' ? events?.env : {}
    const env = { ...ofRedis, ...archive?.env, ...ofEvents }
    const deps = { system, history, env, link, clock, log, onProcessFailure }
    processes.push(new ManagedProcess(kind, name, await freePort(), deps))
  }
  const clocked = processes.every(({ clock }) => clock !== undefined)
  const faulty = new Set<string>()
  return {
    system,
    topology,
    redis: topology.nodes[0],
    archive,
    events,
    processes,
    links: topology.links,
    faults: chosen(options.inject, {
      ...processFaults,
      ...(clocked ? clockFaults : {}),
      ...topology.faults,
      ...(archive === undefined ? {} : { ...archiverFaults, ...archive.faults }),
      ...(events === undefined ? {} : { ...notifierFaults, ...events.faults }),
    }),
    take: (choices, by) => {
      const healthy = choices.filter(({ name }) => !faulty.has(name))
      if (healthy.length === 0) return undefined
      const taken = by.pick(healthy)
      faulty.add(taken.name)
      return taken
    },
    heal: async ({ name }, heal) => {
      await heal()
      faulty.delete(name)
    },
    takeLink: ({ name }) => !faulty.has(name) && faulty.add(name) !== undefined,
    healLink: async ({ name, proxy }) => {
      await proxy.heal()
      faulty.delete(name)
    },
    close: async () => {
      await system.close()
      await events?.close()
      await archive?.close()
      await topology.close()
    },
  }
}
