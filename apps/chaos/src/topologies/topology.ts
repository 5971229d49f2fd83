import type { FaultProxy } from '@placeorder/testkit'
import type { Faults } from '../faults.ts'
import type { Disk } from './disk.ts'
import type { RedisNode } from './redis-node.ts'

/** The way of one process to Redis. */
export type Link = { name: string; proxy: FaultProxy }

/** How Redis is set up, and what can be broken of it. */
export type Topology = {
  name: TopologyName
  nodes: readonly [RedisNode, ...RedisNode[]]
  /** The ways of processes to Redis that can be broken; none where they find its servers themselves. */
  links: Link[]
  /** The disk of Redis; undefined where none could be mounted. */
  disk: Disk | undefined
  /** Environment of every process, and of whoever looks at what is stored. */
  env: Readonly<Record<string, string>>
  /** Environment of one process, with a way of its own to Redis where there is one. */
  connect: (process: string) => Promise<{ env: Readonly<Record<string, string>>; link?: Link }>
  faults: Faults
  /** Resolves when every server is back in its role. */
  settle: () => Promise<void>
  close: () => Promise<void>
}

export const topologyNames = ['single', 'sentinel', 'cluster'] as const
export type TopologyName = (typeof topologyNames)[number]
