import { setTimeout as wait } from 'node:timers/promises'
import { type Attacked, openAttacked } from './attacked.ts'
import { type Case, type CaseResult, cases, tryCase } from './cases.ts'
import { faultsOf } from './check-answers.ts'
import { fire } from './fire.ts'
import { type MemoryUsage, MemoryWatch } from './memory-usage.ts'
import { numberedShot } from './numbered-shot.ts'
import type { Shot } from './shot.ts'

/** Connections that are attacked with at a time. */
const AT_ONCE = 24
/** How often somebody looks whether orders are still placed, in ms. */
const LOOK_MS = 1_000
/** In this time (ms) the processes compile their code, and have room made for so many connections. */
const WARM_UP_MS = 60_000
/** Faults that are kept; of a system that breaks at once there would be millions. */
const FAULTS_MAX = 20

export type AttackOptions = {
  seed: number
  forMs: number
  /** The only shot that is fired, of one that was found; else all of them until the time is up. */
  only: number | undefined
  signal: AbortSignal
  onProgress: (report: Pick<AttackReport, 'connections' | 'requests' | 'faults'>) => void
}

export type AttackReport = {
  /** The attacks by hand, in the order they were done with. */
  cases: CaseResult[]
  connections: number
  requests: Record<string, number>
  answers: Record<string, number>
  /** Connections that were reset under us. */
  resets: number
  memory: MemoryUsage[]
  faults: string[]
}

/** Attacks a system of its own, and reports what came of it: no fault, if every promise was kept. */
export async function runAttack(options: AttackOptions): Promise<AttackReport> {
  const attacked = await openAttacked()
  const report: AttackReport = {
    cases: [],
    connections: 0,
    requests: {},
    answers: {},
    resets: 0,
    memory: [],
    faults: [],
  }
  const memory = new MemoryWatch(attacked.processes)
  let warmingUp: NodeJS.Timeout | undefined
  try {
    const dead = new AbortController()
    for (const { name, exited } of attacked.processes)
      void exited.then((how) => {
        if (!dead.signal.aborted) fault(report, `${name} ended: ${how}`)
        dead.abort()
      })
    const waiting = options.only === undefined ? await tryCases(attacked, report) : undefined
    warmingUp = setTimeout(() => void memory.warmedUp(), WARM_UP_MS)
    const until = AbortSignal.any([options.signal, AbortSignal.timeout(options.forMs)])
    await attack(attacked, options, report, AbortSignal.any([until, dead.signal]))
    await waiting?.done
    report.memory = await memory.report()
    for (const { name, isFlat } of report.memory)
      if (!isFlat) fault(report, `the memory of ${name} grew after the first minute`)
    if (!dead.signal.aborted) {
      dead.abort()
      const codes = await attacked.end()
      if (codes.some((code) => code !== 0)) fault(report, `ended with ${codes.join(', ')}`)
    }
    return report
  } finally {
    clearTimeout(warmingUp)
    memory.close()
    await attacked.close()
  }
}

/** Tries the cases one after the other; those that mostly wait are `done` later. */
async function tryCases(
  attacked: Attacked,
  report: AttackReport,
): Promise<{ done: Promise<unknown> }> {
  const tried = async (one: Case) => {
    const result = await tryCase(one, attacked)
    report.cases.push(result)
    for (const what of result.faults) fault(report, `case ${one.number} (${one.title}): ${what}`)
  }
  const done = Promise.all(cases.filter(({ waits }) => waits).map(tried))
  for (const one of cases.filter(({ waits }) => !waits)) await tried(one)
  return { done }
}

async function attack(
  attacked: Attacked,
  { seed, only, onProgress }: AttackOptions,
  report: AttackReport,
  until: AbortSignal,
): Promise<void> {
  if (only !== undefined) return fireOne(attacked, seed, only, report)
  let next = 0
  const shooters = Array.from({ length: AT_ONCE }, async () => {
    while (!until.aborted) {
      next += 1
      await fireOne(attacked, seed, next, report)
    }
  })
  const look = async () => {
    while (!until.aborted) {
      onProgress(report)
      const isWell = await attacked.isWell().catch(() => false)
      if (!isWell && !until.aborted) fault(report, 'a good order got no answer that may be its own')
      await wait(LOOK_MS, undefined, { signal: until }).catch(() => {})
    }
  }
  await Promise.all([...shooters, look()])
}

/** Fires the shot that has this number under this seed, and judges what came back. */
async function fireOne(
  attacked: Attacked,
  seed: number,
  number: number,
  report: AttackReport,
): Promise<void> {
  const shot = numberedShot(seed, number, attacked)
  const outcome = await fire(shot, attacked.targets)
  const faults = faultsOf(shot, outcome, attacked.known, (code) => count(report.answers, code, 1))
  report.connections += 1
  if (outcome.isReset && shot.leaving.how !== 'reset') report.resets += 1
  count(report.requests, shot.kind, shot.requests)
  for (const one of faults) fault(report, `shot ${number} (${describe(shot)}): ${one}`)
}

const describe = ({ kind, port, requests, leaving }: Shot): string =>
  `${kind}, ${requests} requests to ${port}, ${leaving.how}`

function fault(report: AttackReport, what: string): void {
  if (report.faults.length < FAULTS_MAX && !report.faults.includes(what)) report.faults.push(what)
}

function count(of: Record<string, number>, name: string, more: number): void {
  of[name] = (of[name] ?? 0) + more
}
