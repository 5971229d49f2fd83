import type { FaultProxy } from '@placeorder/testkit'
import type { House } from './house.ts'
import type { Member } from './member.ts'
import type { Random } from './random.ts'

/** A fault at work: what it is on, and how it ends. */
export type Wound = { on: string; heal: () => Promise<void> | void }

/** One kind of fault. `holdMs`: how long it lasts, at least and at most. */
export type FaultKind = {
  holdMs: readonly [min: number, max: number]
  /** Brings it about, on something that is whole; undefined when there is nothing of that sort. */
  strike: (house: House, random: Random) => Promise<Wound | undefined>
}

/** How long something stays dead, stopped or cut off (ms): long past locks (4 s) and silences (2 s), or hardly noticed. */
const SHORT = [0, 2_000] as const
const LONG = [500, 5_000] as const

const killed = (kind: Member['kind']): FaultKind['strike'] =>
  onMember(kind, async (member) => {
    await member.kill()
    return () => member.start()
  })

const stopped = (kind: Member['kind']): FaultKind['strike'] =>
  onMember(kind, async (member) => {
    member.stop()
    return () => member.goOn()
  })

const ended = (kind: Member['kind']): FaultKind['strike'] =>
  onMember(kind, async (member) => {
    await member.end()
    return () => member.start()
  })

function onMember(
  kind: Member['kind'],
  strike: (member: Member) => Promise<Wound['heal']>,
): FaultKind['strike'] {
  return async (house, random) => {
    const member = house.take(
      house.members.filter((one) => one.kind === kind),
      random,
    )
    if (member === undefined) return undefined
    const heal = await strike(member)
    return { on: member.name, heal: () => house.giveBack(member, heal) }
  }
}

function onRedis(
  strike: (house: House) => Promise<Wound['heal']> | Wound['heal'],
): FaultKind['strike'] {
  return async (house, random) => {
    const redis = house.take([house.redis], random)
    if (redis === undefined) return undefined
    const heal = await strike(house)
    return { on: redis.name, heal: () => house.giveBack(redis, heal) }
  }
}

/** A fault of the way to Redis: of one process, or of all. */
function onLinks(
  strike: (link: FaultProxy, random: Random) => Promise<void> | void,
): FaultKind['strike'] {
  return async (house, random) => {
    const all = random.chance(0.3)
    const hurt = all ? house.links : [random.pick(house.links)]
    const links = hurt.filter((link) => house.takeLink(link))
    if (links.length === 0) return undefined
    await Promise.all(links.map(({ proxy }) => strike(proxy, random)))
    const heal = async () => {
      await Promise.all(links.map((link) => house.healLink(link)))
    }
    return { on: links.map(({ name }) => name).join(' '), heal }
  }
}

export const faults = {
  'kill an ingress': { holdMs: SHORT, strike: killed('ingress') },
  'kill a worker': { holdMs: SHORT, strike: killed('worker') },
  'kill Redis': {
    holdMs: SHORT,
    strike: onRedis(async ({ redis }) => {
      await redis.kill()
      return () => redis.start()
    }),
  },
  'stop an ingress': { holdMs: LONG, strike: stopped('ingress') },
  'stop a worker': { holdMs: [1_000, 8_000], strike: stopped('worker') },
  'stop Redis': {
    holdMs: LONG,
    strike: onRedis(({ redis }) => {
      redis.signal('SIGSTOP')
      return () => redis.signal('SIGCONT')
    }),
  },
  'end an ingress': { holdMs: SHORT, strike: ended('ingress') },
  'end a worker': { holdMs: SHORT, strike: ended('worker') },
  'fill the disk': {
    holdMs: [1_000, 4_000],
    strike: onRedis(async ({ disk }) => {
      await disk?.fill()
      return () => disk?.empty()
    }),
  },
  'cut connections': { holdMs: [0, 500], strike: onLinks((link) => link.cut()) },
  'cut in a command': { holdMs: SHORT, strike: onLinks((link) => link.cutMidway('client')) },
  'cut in an answer': { holdMs: SHORT, strike: onLinks((link) => link.cutMidway('server')) },
  'slow the network': {
    holdMs: [2_000, 8_000],
    strike: onLinks((link, random) => {
      const ms = random.whole(2, 250)
      link.slow(ms, ms / 2)
    }),
  },
  'stall the network': { holdMs: LONG, strike: onLinks((link) => link.stall()) },
  'black hole': { holdMs: LONG, strike: onLinks((link) => link.blackHole()) },
  'half-open, Redis gone': { holdMs: SHORT, strike: onLinks((link) => link.halfOpen('server')) },
  'half-open, process gone': { holdMs: SHORT, strike: onLinks((link) => link.halfOpen('client')) },
  'refuse connections': { holdMs: LONG, strike: onLinks((link) => link.refuse()) },
} satisfies Record<string, FaultKind>

export type FaultName = keyof typeof faults
