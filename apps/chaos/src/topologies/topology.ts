import type { FaultProxy } from '@placeorder/testkit'
import type { Faults } from '../faults.ts'
import type { Disk } from './disk.ts'
import type { RedisNode } from './redis-node.ts'

/** The network link of one process to Redis. */
export type Link = { name: string; proxy: FaultProxy }

/** How Redis is set up, and which faults can be injected into it. */
export type Topology = {
  name: TopologyName
  nodes: readonly [RedisNode, ...RedisNode[]]
  /** The links of processes to Redis; none where they find its servers themselves. */
  links: Link[]
  /** The disk of Redis; undefined where none could be mounted. */
  disk: Disk | undefined
  /** The environment by which to reach Redis directly. */
  env: Readonly<Record<string, string>>
  /** The environment of one process, with a link of its own to Redis where there is one. */
  connect: (process: string) => Promise<{ env: Readonly<Record<string, string>>; link?: Link }>
  faults: Faults
  /** Resolves when every server has its role again. */
  settle: () => Promise<void>
  close: () => Promise<void>
}

export const topologyNames = ['single', 'sentinel', 'cluster'] as const
export type TopologyName = (typeof topologyNames)[number]
