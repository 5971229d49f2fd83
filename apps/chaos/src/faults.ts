import type { FaultProxy } from '@placeorder/testkit'
import type { Member } from './member.ts'
import type { Random } from './random.ts'
import type { TestBed } from './test-bed.ts'

/** A fault at work: what it is on, and how it ends. */
export type ActiveFault = { on: string; heal: () => Promise<void> | void }

/** One kind of fault. `holdMs`: how long it lasts, at least and at most. */
export type FaultKind = {
  holdMs: readonly [min: number, max: number]
  /** Brings it about, on something that is whole; undefined when there is nothing of that sort. */
  inject: (testBed: TestBed, random: Random) => Promise<ActiveFault | undefined>
}

/** How long something stays dead, stopped or cut off (ms): long past locks (4 s) and silences (2 s), or hardly noticed. */
const SHORT = [0, 2_000] as const
const LONG = [500, 5_000] as const

const killed = (kind: Member['kind']): FaultKind['inject'] =>
  onMember(kind, async (member) => {
    await member.kill()
    return () => member.start()
  })

const stopped = (kind: Member['kind']): FaultKind['inject'] =>
  onMember(kind, async (member) => {
    member.stop()
    return () => member.goOn()
  })

const ended = (kind: Member['kind']): FaultKind['inject'] =>
  onMember(kind, async (member) => {
    await member.end()
    return () => member.start()
  })

function onMember(
  kind: Member['kind'],
  inject: (member: Member) => Promise<ActiveFault['heal']>,
): FaultKind['inject'] {
  return async (testBed, random) => {
    const member = testBed.take(
      testBed.members.filter((one) => one.kind === kind),
      random,
    )
    if (member === undefined) return undefined
    const heal = await inject(member)
    return { on: member.name, heal: () => testBed.giveBack(member, heal) }
  }
}

function onRedis(
  inject: (testBed: TestBed) => Promise<ActiveFault['heal']> | ActiveFault['heal'],
): FaultKind['inject'] {
  return async (testBed, random) => {
    const redis = testBed.take([testBed.redis], random)
    if (redis === undefined) return undefined
    const heal = await inject(testBed)
    return { on: redis.name, heal: () => testBed.giveBack(redis, heal) }
  }
}

/** A fault of the way to Redis: of one process, or of all. */
function onLinks(
  inject: (link: FaultProxy, random: Random) => Promise<void> | void,
): FaultKind['inject'] {
  return async (testBed, random) => {
    const all = random.chance(0.3)
    const hurt = all ? testBed.links : [random.pick(testBed.links)]
    const links = hurt.filter((link) => testBed.takeLink(link))
    if (links.length === 0) return undefined
    await Promise.all(links.map(({ proxy }) => inject(proxy, random)))
    const heal = async () => {
      await Promise.all(links.map((link) => testBed.healLink(link)))
    }
    return { on: links.map(({ name }) => name).join(' '), heal }
  }
}

export const faults = {
  'kill an ingress': { holdMs: SHORT, inject: killed('ingress') },
  'kill a worker': { holdMs: SHORT, inject: killed('worker') },
  'kill Redis': {
    holdMs: SHORT,
    inject: onRedis(async ({ redis }) => {
      await redis.kill()
      return () => redis.start()
    }),
  },
  'stop an ingress': { holdMs: LONG, inject: stopped('ingress') },
  'stop a worker': { holdMs: [1_000, 8_000], inject: stopped('worker') },
  'stop Redis': {
    holdMs: LONG,
    inject: onRedis(({ redis }) => {
      redis.signal('SIGSTOP')
      return () => redis.signal('SIGCONT')
    }),
  },
  'end an ingress': { holdMs: SHORT, inject: ended('ingress') },
  'end a worker': { holdMs: SHORT, inject: ended('worker') },
  'fill the disk': {
    holdMs: [1_000, 4_000],
    inject: onRedis(async ({ disk }) => {
      await disk?.fill()
      return () => disk?.empty()
    }),
  },
  'cut connections': { holdMs: [0, 500], inject: onLinks((link) => link.cut()) },
  'cut in a command': { holdMs: SHORT, inject: onLinks((link) => link.cutMidway('client')) },
  'cut in an answer': { holdMs: SHORT, inject: onLinks((link) => link.cutMidway('server')) },
  'slow the network': {
    holdMs: [2_000, 8_000],
    inject: onLinks((link, random) => {
      const ms = random.whole(2, 250)
      link.slow(ms, ms / 2)
    }),
  },
  'stall the network': { holdMs: LONG, inject: onLinks((link) => link.stall()) },
  'black hole': { holdMs: LONG, inject: onLinks((link) => link.blackHole()) },
  'half-open, Redis gone': { holdMs: SHORT, inject: onLinks((link) => link.halfOpen('server')) },
  'half-open, process gone': { holdMs: SHORT, inject: onLinks((link) => link.halfOpen('client')) },
  'refuse connections': { holdMs: LONG, inject: onLinks((link) => link.refuse()) },
} satisfies Record<string, FaultKind>

export type FaultName = keyof typeof faults
