import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@placeorder/store/local-redis'
import { FaultProxy, openSystem, type System } from '@placeorder/testkit'
import { type Disk, mountDisk } from './disk.ts'
import type { History } from './history/history.ts'
import { Member } from './member.ts'
import type { Random } from './random.ts'
import { RedisMember } from './redis-member.ts'

/** The way of one process to Redis. */
export type Link = { name: string; proxy: FaultProxy }

/** A system with two ingresses and two workers on one durable Redis, each with a way to Redis that can be broken. */
export type TestBed = {
  system: System
  redis: RedisMember
  members: Member[]
  links: Link[]
  /** The disk of Redis; undefined where none could be mounted. */
  disk: Disk | undefined
  /** Takes one that is whole, to be broken; undefined when all are broken. */
  take: <T extends { name: string }>(choices: T[], random: Random) => T | undefined
  /** Mends it; it is then whole. */
  giveBack: (taken: { name: string }, heal: () => Promise<void> | void) => Promise<void>
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
  /** Who lives in it; what begins with `ingress` is one. */
  names?: readonly string[]
  /** Settings that are to be other than those of chaos. */
  settings?: Readonly<Record<string, string>>
}

const everybody = ['ingress-1', 'ingress-2', 'worker-1', 'worker-2']

/** Starts Redis and opens the ways to it, with its files below `dir`. The members are not started yet. */
export async function openTestBed(
  dir: string,
  { history, random, onProcessFailure, names = everybody, settings = {} }: TestBedOptions,
): Promise<TestBed> {
  const redisDir = join(dir, 'redis')
  await mkdir(join(dir, 'logs'), { recursive: true })
  const disk = await mountDisk(redisDir)
  const redis = await RedisMember.open(redisDir)
  const env = { WAIT_MS: String(WAIT_MS), SHARDS: String(SHARDS), ...settings }
  const system = await openSystem({ redisUrl: redis.url, env })
  const links: Link[] = []
  const members: Member[] = []
  for (const name of names) {
    const kind = name.startsWith('ingress') ? 'ingress' : 'worker'
    const proxy = await FaultProxy.open({ port: redis.port }, () => random.next())
    links.push({ name: `${name}→redis`, proxy })
    const log = join(dir, 'logs', `${name}.log`)
    members.push(
      new Member(kind, name, await freePort(), {
        system,
        history,
        link: proxy,
        log,
        onProcessFailure,
      }),
    )
  }
  const broken = new Set<string>()
  return {
    system,
    redis,
    members,
    links,
    disk,
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
      await Promise.all(links.map(({ proxy }) => proxy.close()))
      await redis.close()
      await disk?.close()
    },
  }
}
