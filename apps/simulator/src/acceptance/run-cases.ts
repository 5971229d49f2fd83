import { allOfThem, type Case, type RequestCase, type Survey, UnmetPrecondition } from './case.ts'
import { CaseContext, type Setting } from './case-context.ts'
import type { Fixtures } from './fixtures.ts'
import type { Recorded } from './wire.ts'

export type Verdict = 'PASSED' | 'FAILED' | 'SKIPPED'

/** How a case went, with what went over the wire for it. */
export type Outcome = {
  case: Case
  verdict: Verdict
  /** What came, or why it was skipped. */
  got: string
  tookMs: number
  recorded: readonly Recorded[]
}

export type RunOptions = {
  setting: Omit<Setting, 'first'>
  fixtures: Fixtures
  /** How many cases run at the same moment. */
  concurrency: number
  signal: AbortSignal
  /** Reports how many cases are through, after each. */
  onProgress?: (done: number, of: number) => void
}

/** The acquirer gave no answer to the order that goes ahead of the cases. */
export class NobodyAnswers extends Error {}

/** Somebody pressed Ctrl-C. */
export class Stopped extends Error {
  override message = 'stopped'
}

/** Answers that a survey shows of those it finds fault with; the rest is counted. */
const SHOWN_MAX = 5

/**
 * Runs cases against an acquirer: one order first, which has to be answered at all; then the trials, several at a time;
 * then those that come last; and the surveys over all answers.
 *
 * @throws NobodyAnswers
 * @throws the signal's reason, when it is aborted
 */
export async function runCases(cases: readonly Case[], options: RunOptions): Promise<Outcome[]> {
  const { fixtures, concurrency, signal, onProgress } = options
  const { setting, recorded } = await greet(options.setting)
  const outcomes = new Map<Case, Outcome>()
  const keep = (one: Case, outcome: Outcome) => {
    outcomes.set(one, outcome)
    recorded.push(...outcome.recorded)
    onProgress?.(outcomes.size, cases.length)
  }
  const trials = cases.filter((one) => 'act' in one)
  const [early, late] = [trials.filter(({ last }) => !last), trials.filter(({ last }) => last)]
  for (const wave of [early, late]) {
    await inLanes(wave, concurrency, async (trial) => {
      signal.throwIfAborted()
      keep(trial, await attempt(trial, setting, fixtures))
    })
  }
  const answers = [...recorded]
  for (const one of cases) if ('fault' in one) keep(one, survey(one, answers))
  return cases.flatMap((one) => outcomes.get(one) ?? [])
}

/** Places one order, of which the last cases ask again. */
async function greet(
  setting: Omit<Setting, 'first'>,
): Promise<{ setting: Setting; recorded: Recorded[] }> {
  const nobody = {
    order: {},
    told: { code: 'nothing', status: undefined, paymentRequestId: undefined },
  }
  const lab = new CaseContext('the first order', { ...setting, first: nobody })
  const order = lab.order()
  const told = await lab.place(order)
  const reply = lab.recorded[0]?.reply
  if (reply?.kind === 'DROPPED') throw new NobodyAnswers(`${setting.who.url.href}: ${reply.reason}`)
  if (reply?.kind === 'TIMED_OUT')
    throw new NobodyAnswers(`${setting.who.url.href}: no answer within ${reply.afterMs} ms`)
  return { setting: { ...setting, first: { order, told } }, recorded: [...lab.recorded] }
}

async function attempt(trial: RequestCase, setting: Setting, fixtures: Fixtures): Promise<Outcome> {
  const fixture = trial.needs === undefined ? undefined : fixtures[trial.needs]
  if (trial.needs !== undefined && fixture === undefined) {
    const got = `no "${trial.needs}" in the fixtures file`
    return { case: trial, verdict: 'SKIPPED', got, tookMs: 0, recorded: [] }
  }
  const lab = new CaseContext(trial.name, setting, fixture)
  const startedAt = performance.now()
  try {
    const got = await trial.act(lab).catch(unmet)
    const verdict = trial.expected.isMet(got) ? 'PASSED' : 'FAILED'
    return {
      case: trial,
      verdict,
      got,
      tookMs: performance.now() - startedAt,
      recorded: lab.recorded,
    }
  } finally {
    lab.close()
  }
}

function unmet(error: unknown): string {
  if (error instanceof UnmetPrecondition) return error.message
  throw error
}

function survey(one: Survey, recorded: readonly Recorded[]): Outcome {
  const about = recorded.filter(one.about)
  if (about.length === 0) {
    return { case: one, verdict: 'SKIPPED', got: 'no such answer came', tookMs: 0, recorded: [] }
  }
  const faulty = about.flatMap((answer) => {
    const fault = one.fault(answer)
    return fault === undefined ? [] : [{ answer, fault }]
  })
  const kinds = [...Map.groupBy(faulty, ({ fault }) => fault)].map(([fault, of]) => {
    return `${of.length} × ${fault} (${of[0]?.answer.of})`
  })
  const got = faulty.length === 0 ? allOfThem : kinds.join(', ')
  return {
    case: one,
    verdict: faulty.length === 0 ? 'PASSED' : 'FAILED',
    got,
    tookMs: 0,
    recorded: faulty.slice(0, SHOWN_MAX).map(({ answer }) => answer),
  }
}

/** Does something for each, several at a time. The first failure ends it, once what is under way has ended. */
async function inLanes<T>(
  all: readonly T[],
  lanes: number,
  body: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = [...all]
  const lane = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await body(one)
  }
  const ended = await Promise.allSettled(Array.from({ length: lanes }, lane))
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

export const count = (outcomes: readonly Outcome[], verdict: Verdict): number =>
  outcomes.filter((one) => one.verdict === verdict).length
