import type { Member } from './member.ts'
import type { Random } from './random.ts'
import type { TestBed } from './test-bed.ts'

/** A fault in force: what it is on, and how it ends. */
export type ActiveFault = { on: string; heal: () => Promise<unknown> | unknown }

/** One kind of fault. `holdMs`: how long it lasts, at least and at most. */
export type FaultKind = {
  holdMs: readonly [min: number, max: number]
  /** Injects it into something that is whole; undefined when there is nothing of that sort. */
  inject: (testBed: TestBed, random: Random) => Promise<ActiveFault | undefined>
}

export type Faults = Readonly<Record<string, FaultKind>>

/** How long a process stays dead or stopped (ms): long past locks (4 s), or hardly noticed. */
const SHORT = [0, 2_000] as const
const LONG = [500, 5_000] as const

/** Steps of a process's clock (s). */
const STEPS_S = [-86_400, -3_600, -30, 30, 3_600, 86_400]

/** What processes suffer, whatever Redis they run on. */
export const processFaults: Faults = {
  'kill an ingress': { holdMs: SHORT, inject: killed('ingress') },
  'kill a worker': { holdMs: SHORT, inject: killed('worker') },
  'stop an ingress': { holdMs: LONG, inject: stopped('ingress') },
  'stop a worker': { holdMs: [1_000, 8_000], inject: stopped('worker') },
  'end an ingress': { holdMs: SHORT, inject: ended('ingress') },
  'end a worker': { holdMs: SHORT, inject: ended('worker') },
}

/** What processes suffer whose clocks can be faked. */
export const clockFaults: Faults = {
  'step the clock of a process': {
    holdMs: [1_500, 6_000],
    inject: async (testBed, random) => {
      const seconds = random.pick(STEPS_S)
      const member = testBed.take(testBed.members, random)
      if (member === undefined) return undefined
      await member.clock?.step(seconds)
      const heal = () => testBed.giveBack(member, () => member.clock?.step(0))
      return { on: `${member.name} by ${seconds} s`, heal }
    },
  },
}

function killed(kind: Member['kind']): FaultKind['inject'] {
  return onMember(kind, async (member) => {
    await member.kill()
    return () => member.start()
  })
}

function stopped(kind: Member['kind']): FaultKind['inject'] {
  return onMember(kind, async (member) => {
    member.stop()
    return () => member.goOn()
  })
}

function ended(kind: Member['kind']): FaultKind['inject'] {
  return onMember(kind, async (member) => {
    await member.end()
    return () => member.start()
  })
}

function onMember(
  kind: Member['kind'],
  inject: (member: Member) => Promise<ActiveFault['heal']>,
): FaultKind['inject'] {
  return async (testBed, random) => {
    const members = testBed.members.filter((one) => one.kind === kind)
    const member = testBed.take(members, random)
    if (member === undefined) return undefined
    const heal = await inject(member)
    return { on: member.name, heal: () => testBed.giveBack(member, heal) }
  }
}
