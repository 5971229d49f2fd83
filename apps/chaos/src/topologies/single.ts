import { join } from 'node:path'
import { FaultProxy } from '@placeorder/testkit'
import type { FaultKind, Faults } from '../faults.ts'
import { mountDisk } from './disk.ts'
import { nodeFaults } from './node-faults.ts'
import { RedisNode } from './redis-node.ts'
import type { Link, Topology } from './topology.ts'

/** One durable Redis on a disk of its own, and a network link to it for each process. */
export async function openSingle(dir: string, random: () => number): Promise<Topology> {
  const redisDir = join(dir, 'redis')
  const disk = await mountDisk(redisDir)
  const redis = await RedisNode.open('redis', redisDir)
  const links: Link[] = []
  const fillTheDisk: FaultKind = {
    holdMs: [1_000, 4_000],
    inject: async (testBed, by) => {
      const taken = testBed.take([redis], by)
      if (taken === undefined || disk === undefined) return undefined
      await disk.fill()
      return { on: taken.name, heal: () => testBed.heal(taken, () => disk.empty()) }
    },
  }
  return {
    name: 'single',
    nodes: [redis],
    links,
    disk,
    env: { REDIS_URL: redis.url },
    connect: async (process) => {
      const proxy = await FaultProxy.open({ port: redis.port }, random)
      const link = { name: `${process}→redis`, proxy }
      links.push(link)
      return { env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` }, link }
    },
    faults: {
      ...nodeFaults([redis]),
      ...(disk === undefined ? {} : { 'fill the disk': fillTheDisk }),
      ...linkFaults,
    },
    settle: async () => {},
    close: async () => {
      await Promise.all(links.map(({ proxy }) => proxy.close()))
      await redis.close()
      await disk?.close()
    },
  }
}

/** Injects a fault into the network links of one process, or of all. */
function onLinks(inject: (link: FaultProxy, random: () => number) => Promise<void> | void) {
  const onSome: FaultKind['inject'] = async (testBed, random) => {
    const { links: all } = testBed.topology
    const hit = random.chance(0.3) ? all : [random.pick(all)]
    const links = hit.filter((link) => testBed.takeLink(link))
    if (links.length === 0) return undefined
    await Promise.all(links.map(({ proxy }) => inject(proxy, () => random.next())))
    const heal = async () => {
      await Promise.all(links.map((link) => testBed.healLink(link)))
    }
    return { on: links.map(({ name }) => name).join(' '), heal }
  }
  return onSome
}

/**
 * How long the network is cut or slow (ms): much longer than a heartbeat (2 s), or hardly noticed.
 */
const SHORT = [0, 2_000] as const
const LONG = [500, 5_000] as const

const linkFaults: Faults = {
  'cut connections': { holdMs: [0, 500], inject: onLinks((link) => link.cut()) },
  'cut in a command': { holdMs: SHORT, inject: onLinks((link) => link.cutMidway('client')) },
  'cut in an answer': { holdMs: SHORT, inject: onLinks((link) => link.cutMidway('server')) },
  'slow the network': {
    holdMs: [2_000, 8_000],
    inject: onLinks((link, random) => {
      const ms = 2 + random() * 248
      link.slow(ms, ms / 2)
    }),
  },
  'stall the network': { holdMs: LONG, inject: onLinks((link) => link.stall()) },
  'black hole': { holdMs: LONG, inject: onLinks((link) => link.blackHole()) },
  'half-open, Redis gone': { holdMs: SHORT, inject: onLinks((link) => link.halfOpen('server')) },
  'half-open, process gone': { holdMs: SHORT, inject: onLinks((link) => link.halfOpen('client')) },
  'refuse connections': { holdMs: LONG, inject: onLinks((link) => link.refuse()) },
}
