import type { ManagedProcess } from './managed-process.ts'
import type { Random } from './random.ts'
import type { ChaosTestBed } from './test-bed.ts'

/** An active fault: what it hits, and how to heal it. */
export type ActiveFault = { on: string; heal: () => Promise<unknown> | unknown }

/** One kind of fault. `holdMs` is how long it is active, at least and at most. */
export type FaultKind = {
  holdMs: readonly [min: number, max: number]
  /** Injects it into something healthy; undefined if there is nothing of that kind. */
  inject: (testBed: ChaosTestBed, random: Random) => Promise<ActiveFault | undefined>
}

export type Faults = Readonly<Record<string, FaultKind>>

/**
 * How long a process stays dead or stopped (ms): much longer than a lock (4 s), or hardly noticed.
 */
const SHORT = [0, 2_000] as const
const LONG = [500, 5_000] as const

/** Steps of a process's clock (s). */
const STEPS_S = [-86_400, -3_600, -30, 30, 3_600, 86_400]

/** The faults of ingresses and workers, with any Redis. */
export const processFaults: Faults = {
  'kill an ingress': { holdMs: SHORT, inject: killed('ingress') },
  'kill a worker': { holdMs: SHORT, inject: killed('worker') },
  'stop an ingress': { holdMs: LONG, inject: stopped('ingress') },
  'stop a worker': { holdMs: [1_000, 8_000], inject: stopped('worker') },
  'end an ingress': { holdMs: SHORT, inject: ended('ingress') },
  'end a worker': { holdMs: SHORT, inject: ended('worker') },
}

/** Those of archivers. */
export const archiverFaults: Faults = {
  'kill an archiver': { holdMs: SHORT, inject: killed('archiver') },
  'stop an archiver': { holdMs: [1_000, 8_000], inject: stopped('archiver') },
  'end an archiver': { holdMs: SHORT, inject: ended('archiver') },
}

/** Those of notifiers. */
export const notifierFaults: Faults = {
  'kill a notifier': { holdMs: SHORT, inject: killed('notifier') },
  'stop a notifier': { holdMs: [1_000, 8_000], inject: stopped('notifier') },
  'end a notifier': { holdMs: SHORT, inject: ended('notifier') },
}

/** The faults of ingresses and workers whose clocks can be faked. */
export const clockFaults: Faults = {
  'step the clock of a process': {
    holdMs: [1_500, 6_000],
    inject: async (testBed, random) => {
      const seconds = random.pick(STEPS_S)
      const target = testBed.take(testBed.processes, random)
      if (target === undefined) return undefined
      await target.clock?.step(seconds)
      const heal = () => testBed.heal(target, () => target.clock?.step(0))
      return { on: `${target.name} by ${seconds} s`, heal }
    },
  },
}

function killed(kind: ManagedProcess['kind']): FaultKind['inject'] {
  return onProcess(kind, async (target) => {
    await target.kill()
    return () => target.start()
  })
}

function stopped(kind: ManagedProcess['kind']): FaultKind['inject'] {
  return onProcess(kind, async (target) => {
    target.stop()
    return () => target.resume()
  })
}

function ended(kind: ManagedProcess['kind']): FaultKind['inject'] {
  return onProcess(kind, async (target) => {
    await target.end()
    return () => target.start()
  })
}

function onProcess(
  kind: ManagedProcess['kind'],
  inject: (target: ManagedProcess) => Promise<ActiveFault['heal']>,
): FaultKind['inject'] {
  return async (testBed, random) => {
    const processes = testBed.processes.filter((one) => one.kind === kind)
    const target = testBed.take(processes, random)
    if (target === undefined) return undefined
    const heal = await inject(target)
    return { on: target.name, heal: () => testBed.heal(target, heal) }
  }
}
