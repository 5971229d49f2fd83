import { NoAnswerError } from '../cli/command.ts'
import { noAnswerText } from '../client/place-order-client.ts'
import { type AcceptanceCase, type AnswerCase, allOfThem, type RequestCase } from './case.ts'
import { CaseContext, type Setting } from './case-context.ts'
import type { Fixtures } from './fixtures.ts'
import { UnmetPrecondition } from './precondition.ts'
import type { RecordedExchange } from './wire.ts'

export type CaseVerdict = 'PASSED' | 'FAILED' | 'SKIPPED'

/** The verdict of a case, with its exchanges. */
export type CaseOutcome = {
  case: AcceptanceCase
  verdict: CaseVerdict
  /** What the case got, or why it was skipped. */
  got: string
  tookMs: number
  recorded: readonly RecordedExchange[]
}

export type RunOptions = {
  setting: Omit<Setting, 'first'>
  fixtures: Fixtures
  /** How many cases run at the same moment. */
  concurrency: number
  signal: AbortSignal
  /** Called after each case with the number of finished ones. */
  onProgress?: (done: number, of: number) => void
}

/** How many faulty answers an AnswerCase shows; all are counted. */
const SHOWN_MAX = 5

/**
 * Runs cases against an acquirer: first a probe, then the request cases, several at a time, then
 * those marked `last`, and then the cases that judge all answers.
 *
 * @throws NoAnswerError when the probe is not answered
 * @throws the signal's reason when it is aborted
 */
export async function runCases(
  cases: readonly AcceptanceCase[],
  options: RunOptions,
): Promise<CaseOutcome[]> {
  const { fixtures, concurrency, signal, onProgress } = options
  const { setting, recorded } = await probe(options.setting)
  const outcomes = new Map<AcceptanceCase, CaseOutcome>()
  const keep = (one: AcceptanceCase, outcome: CaseOutcome) => {
    outcomes.set(one, outcome)
    recorded.push(...outcome.recorded)
    onProgress?.(outcomes.size, cases.length)
  }
  const requestCases = cases.filter((one) => 'act' in one)
  const [late = [], early = []] = [true, false].map((isLast) =>
    requestCases.filter(({ last = false }) => last === isLast),
  )
  for (const group of [early, late]) {
    await concurrently(group, concurrency, async (one) => {
      signal.throwIfAborted()
      keep(one, await runCase(one, setting, fixtures))
    })
  }
  const answers = [...recorded]
  for (const one of cases) if ('fault' in one) keep(one, judgeAnswers(one, answers))
  return cases.flatMap((one) => outcomes.get(one) ?? [])
}

/** Places one order, which the cases marked `last` repeat. */
async function probe(
  setting: Omit<Setting, 'first'>,
): Promise<{ setting: Setting; recorded: RecordedExchange[] }> {
  const none = {
    order: {},
    answer: { code: 'nothing', status: undefined, paymentRequestId: undefined },
  }
  const context = new CaseContext('the first order', { ...setting, first: none })
  const order = context.order()
  const answer = await context.place(order)
  const reply = context.recorded[0]?.reply
  if (reply !== undefined && reply.kind !== 'ANSWERED')
    throw new NoAnswerError(`${setting.config.url.href}: ${noAnswerText(reply)}`)
  return { setting: { ...setting, first: { order, answer } }, recorded: [...context.recorded] }
}

async function runCase(
  one: RequestCase,
  setting: Setting,
  fixtures: Fixtures,
): Promise<CaseOutcome> {
  const fixture = one.needs === undefined ? undefined : fixtures[one.needs]
  if (one.needs !== undefined && fixture === undefined) {
    const got = `no "${one.needs}" in the fixtures file`
    return { case: one, verdict: 'SKIPPED', got, tookMs: 0, recorded: [] }
  }
  const context = new CaseContext(one.name, setting, fixture)
  const startedAt = performance.now()
  try {
    const got = await one.act(context).catch(unmetPrecondition)
    const verdict = one.expected.isMet(got) ? 'PASSED' : 'FAILED'
    return {
      case: one,
      verdict,
      got,
      tookMs: performance.now() - startedAt,
      recorded: context.recorded,
    }
  } finally {
    context.close()
  }
}

function unmetPrecondition(error: unknown): string {
  if (error instanceof UnmetPrecondition) return error.message
  throw error
}

function judgeAnswers(one: AnswerCase, recorded: readonly RecordedExchange[]): CaseOutcome {
  const about = recorded.filter(one.about)
  if (about.length === 0) {
    return { case: one, verdict: 'SKIPPED', got: 'no such answer came', tookMs: 0, recorded: [] }
  }
  const faulty = about.flatMap((answer) => {
    const fault = one.fault(answer)
    return fault === undefined ? [] : [{ answer, fault }]
  })
  const kinds = [...Map.groupBy(faulty, ({ fault }) => fault)].map(([fault, of]) => {
    return `${of.length} × ${fault} (${of[0]?.answer.caseName})`
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

/** Runs `body` for each, several at a time; throws the first error after those in flight ended. */
async function concurrently<T>(
  all: readonly T[],
  concurrency: number,
  body: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = [...all]
  const work = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await body(one)
  }
  const ended = await Promise.allSettled(Array.from({ length: concurrency }, work))
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

export const countVerdicts = (outcomes: readonly CaseOutcome[], verdict: CaseVerdict): number =>
  outcomes.filter((one) => one.verdict === verdict).length
