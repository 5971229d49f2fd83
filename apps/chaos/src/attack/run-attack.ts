import { setTimeout as wait } from 'node:timers/promises'
import { type AttackTestBed, openAttackTestBed } from './attack-test-bed.ts'
import { type AttackCase, type AttackCaseResult, cases, tryCase } from './cases.ts'
import { faultsInAnswers } from './check-answers.ts'
import { type MemoryUsage, MemoryWatch } from './memory-usage.ts'
import { numberedShot } from './numbered-shot.ts'
import { sendShot } from './send-shot.ts'
import type { Shot } from './shot.ts'

/** How many connections attack at a time. */
const AT_ONCE = 24
/** How often to check whether orders are still placed (ms). */
const CHECK_MS = 1_000
/**
 * In this time (ms) the processes compile their code, and have room made for so many connections.
 */
const WARM_UP_MS = 60_000
/** How many faults are recorded: a broken system would give millions. */
const FAULTS_MAX = 20

export type AttackOptions = {
  seed: number
  forMs: number
  /**
   * The number of the only shot to send, to reproduce a fault; undefined: all until the time is up.
   */
  only: number | undefined
  signal: AbortSignal
  onProgress: (report: Pick<AttackReport, 'connections' | 'requests' | 'faults'>) => void
}

export type AttackReport = {
  /** The attack cases, in the order in which they ended. */
  cases: AttackCaseResult[]
  connections: number
  requests: Record<string, number>
  answers: Record<string, number>
  /** Connections that the system reset. */
  resets: number
  memory: MemoryUsage[]
  faults: string[]
}

/** Starts a system and attacks it. The report has no fault if every promise was kept. */
export async function runAttack(options: AttackOptions): Promise<AttackReport> {
  const testBed = await openAttackTestBed()
  const report: AttackReport = {
    cases: [],
    connections: 0,
    requests: {},
    answers: {},
    resets: 0,
    memory: [],
    faults: [],
  }
  const memory = new MemoryWatch(testBed.processes)
  let warmingUp: NodeJS.Timeout | undefined
  try {
    const dead = new AbortController()
    for (const { name, exited } of testBed.processes)
      void exited.then((how) => {
        if (!dead.signal.aborted) fault(report, `${name} ended: ${how}`)
        dead.abort()
      })
    const waiting = options.only === undefined ? await tryCases(testBed, report) : undefined
    warmingUp = setTimeout(() => void memory.warmedUp(), WARM_UP_MS)
    const until = AbortSignal.any([options.signal, AbortSignal.timeout(options.forMs)])
    await attack(testBed, options, report, AbortSignal.any([until, dead.signal]))
    await waiting?.done
    report.memory = await memory.report()
    for (const { name, isFlat } of report.memory)
      if (!isFlat) fault(report, `the memory of ${name} grew after the first minute`)
    if (!dead.signal.aborted) {
      dead.abort()
      const codes = await testBed.end()
      if (codes.some((code) => code !== 0)) fault(report, `ended with ${codes.join(', ')}`)
    }
    return report
  } finally {
    clearTimeout(warmingUp)
    memory.close()
    await testBed.close()
  }
}

/** Tries the cases one after the other; those that mostly wait are `done` later. */
async function tryCases(
  testBed: AttackTestBed,
  report: AttackReport,
): Promise<{ done: Promise<unknown> }> {
  const tried = async (one: AttackCase) => {
    const result = await tryCase(one, testBed)
    report.cases.push(result)
    for (const what of result.faults) fault(report, `case ${one.number} (${one.title}): ${what}`)
  }
  const done = Promise.all(cases.filter(({ waits }) => waits).map(tried))
  for (const one of cases.filter(({ waits }) => !waits)) await tried(one)
  return { done }
}

async function attack(
  testBed: AttackTestBed,
  { seed, only, onProgress }: AttackOptions,
  report: AttackReport,
  until: AbortSignal,
): Promise<void> {
  if (only !== undefined) return sendNumberedShot(testBed, seed, only, report)
  let next = 0
  const shooters = Array.from({ length: AT_ONCE }, async () => {
    while (!until.aborted) {
      next += 1
      await sendNumberedShot(testBed, seed, next, report)
    }
  })
  const look = async () => {
    while (!until.aborted) {
      onProgress(report)
      const isWell = await testBed.isWell().catch(() => false)
      if (!isWell && !until.aborted) fault(report, 'a good order got no valid answer')
      await wait(CHECK_MS, undefined, { signal: until }).catch(() => {})
    }
  }
  await Promise.all([...shooters, look()])
}

/** Sends the shot with this number of this seed, and checks the answers. */
async function sendNumberedShot(
  testBed: AttackTestBed,
  seed: number,
  number: number,
  report: AttackReport,
): Promise<void> {
  const shot = numberedShot(seed, number, testBed)
  const outcome = await sendShot(shot, testBed.targets)
  const faults = faultsInAnswers(shot, outcome, testBed.known, (code) =>
    count(report.answers, code, 1),
  )
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
