import type { Terminal } from '../cli/terminal.ts'
import { checkSignature } from '../client/answer-signature.ts'
import { Caller, type Reply, targetOf, type Who } from '../client/caller.ts'
import { hearInquired, hearPlaced, type ParsedAnswer } from '../client/read-answer.ts'
import type { Answered, Landed } from './connection.ts'
import { type Ending, fire } from './fire.ts'
import { Ledger } from './ledger.ts'
import { plan } from './mix.ts'
import { judgeObjectives, type Measures, type Objective } from './objectives.ts'
import { type Followed, Follower } from './poller.ts'
import { bodyOf, paymentIdOf, type Recipe } from './recipe.ts'
import { type Ready, signAhead } from './sign-ahead.ts'
import type { Setup, Signatures, Summary } from './summary.ts'
import { Supply } from './supply.ts'
import { type Latency, Tally } from './tally.ts'

export type LoadOptions = {
  who: Who
  recipe: Recipe
  setup: Setup
  objectives: readonly Objective[]
  /** Multiplies the waits of the inquiry schedule for orders that are open. */
  timeFactor: number
  signal: AbortSignal
  terminal: Pick<Terminal, 'progress'>
}

/** The acquirer gave no answer to the order that goes ahead of the load. */
export class NobodyAnswers extends Error {}

/** How many answers have their signatures verified: enough to find one wrong in a hundred for sure. */
const VERIFIED_MAX = 1000

/** How often the progress line changes, in ms. */
const PROGRESS_MS = 500

/**
 * Runs a load and sums it up.
 *
 * @throws NobodyAnswers when the order that goes ahead is not answered
 * @throws the signal's reason, when it is aborted before the clock starts; later it ends the run
 */
export async function runLoad(options: LoadOptions): Promise<Summary> {
  const { who, recipe, setup, signal, terminal, timeFactor } = options
  const caller = new Caller(who)
  try {
    await greet(caller, recipe)
    const planned = plan(setup.amount, setup.mix, 2 * setup.connections)
    const ready = await signAhead(planned, recipe, who, {
      signal,
      onProgress: signingBar(setup.amount, terminal),
    })
    const ledger = new Ledger()
    const follower = new Follower({ recipe, caller, ledger, timeFactor, signal })
    const run = new Run(who, recipe, ready, ledger, follower)
    const ending = await run.fire(setup, signal, terminal)
    const seconds = run.seconds
    terminal.progress(`following ${follower.followed.orders} orders until they are final`)
    const followed = await follower.done()
    return sumUp(options, { run, ending, seconds, followed, ledger })
  } finally {
    terminal.progress('')
    await caller.close()
  }
}

/** Places one order, so that a wrong URL or certificate is found before ten thousand signatures are made. */
async function greet(caller: Caller, recipe: Recipe): Promise<void> {
  const { reply } = await caller.place(
    bodyOf({ ...recipe, run: `${recipe.run}A` }, { kind: 'new', order: 0 }),
  )
  if (reply.kind === 'TIMED_OUT') throw new NobodyAnswers(`no answer within ${reply.afterMs} ms`)
  if (reply.kind === 'DROPPED') throw new NobodyAnswers(reply.reason)
}

function signingBar(
  amount: number,
  terminal: Pick<Terminal, 'progress'>,
): (signed: number) => void {
  const step = Math.max(1, Math.floor(amount / 100))
  return (signed) => {
    if (signed % step !== 0 && signed !== amount) return
    const done = Math.floor((signed / amount) * 30)
    terminal.progress(
      `signing  ${'█'.repeat(done)}${'░'.repeat(30 - done)}  ${signed} of ${amount}`,
    )
  }
}

/** One run: what is sent, and what is kept of what comes back. */
class Run {
  readonly tally: Tally
  readonly startedAt = performance.now()
  readonly #who: Who
  readonly #recipe: Recipe
  readonly #supply: Supply
  readonly #ledger: Ledger
  readonly #follower: Follower
  readonly #verifyEach: number
  readonly #toVerify: { one: Ready; answered: Answered }[] = []

  /** The clock starts now. */
  constructor(
    who: Who,
    recipe: Recipe,
    ready: readonly Ready[],
    ledger: Ledger,
    follower: Follower,
  ) {
    this.tally = new Tally(this.startedAt)
    this.#who = who
    this.#recipe = recipe
    this.#supply = new Supply(ready)
    this.#ledger = ledger
    this.#follower = follower
    this.#verifyEach = Math.ceil(ready.length / VERIFIED_MAX)
  }

  get seconds(): number {
    return (performance.now() - this.startedAt) / 1000
  }

  async fire(
    setup: Setup,
    signal: AbortSignal,
    terminal: Pick<Terminal, 'progress'>,
  ): Promise<Ending> {
    const bar = setInterval(() => terminal.progress(this.#progressOf(setup)), PROGRESS_MS)
    try {
      return await fire(this.#supply, {
        origin: this.#who.url.origin,
        tls: this.#who.tls,
        connections: setup.connections,
        rate: setup.rate ?? undefined,
        durationMs: setup.durationS * 1000,
        onLanded: (landed) => this.#land(landed),
        signal,
      })
    } finally {
      clearInterval(bar)
    }
  }

  #land(landed: Landed): void {
    const { one, latencyMs } = landed
    const heard = hear(landed)
    this.tally.add(landed, heard)
    const toldAt = performance.now()
    this.#ledger.tell(paymentIdOf(this.#recipe, one.order), one.kind, heard, {
      askedAt: toldAt - latencyMs,
      toldAt,
    })
    if (one.kind === 'new') {
      this.#supply.orderDone(one.order, isAccepted(heard) ? 'ACCEPTED' : 'UNSURE')
      if (heard.kind !== 'RESULT' || heard.status === 'U') this.#follower.follow(one.order)
    }
    if (landed.kind === 'ANSWERED' && this.tally.sent % this.#verifyEach === 0) {
      this.#toVerify.push({ one, answered: landed.answered })
    }
  }

  #progressOf({ amount, durationS }: Setup): string {
    const { S, F, U, LOST } = this.tally.fates()
    const seconds = this.seconds
    const rate = Math.round(this.tally.sent / seconds)
    return `${seconds.toFixed(0)} of ${durationS} s  ${this.tally.sent} of ${amount}  ${rate}/s  S ${S}  F ${F}  U ${U}  lost ${LOST}`
  }

  /** Verifies what was set aside, now that nothing is measured any more. */
  verify(): Signatures {
    const { serverKey, clientId } = this.#who
    if (serverKey === undefined) return { verified: 0, wrong: 0, unchecked: true }
    // autocannon decodes chunk by chunk: bytes of a character that was cut in two are gone, and cannot be verified.
    const whole = this.#toVerify.filter(({ answered }) => !answered.body.includes('\uFFFD'))
    const wrong = whole.filter(({ one, answered }) => {
      const { headers, body } = answered
      const target = targetOf(one.signed.url)
      return (
        checkSignature({ target, clientId, headers, body: Buffer.from(body) }, serverKey) !== 'GOOD'
      )
    })
    return { verified: whole.length, wrong: wrong.length, unchecked: false }
  }
}

function hear(landed: Landed): ParsedAnswer {
  const reply = replyOf(landed)
  return landed.one.kind === 'inquiry' ? hearInquired(reply) : hearPlaced(reply)
}

function replyOf(landed: Landed): Reply {
  if (landed.kind === 'TIMED_OUT')
    return { kind: 'TIMED_OUT', afterMs: Math.round(landed.latencyMs) }
  if (landed.kind === 'DROPPED') return { kind: 'DROPPED', reason: 'connection lost' }
  const { httpStatus, headers, body } = landed.answered
  const signature = headers.signature === undefined ? 'MISSING' : 'UNCHECKED'
  return { kind: 'ANSWERED', httpStatus, headers, body: Buffer.from(body), signature }
}

const isAccepted = (heard: ParsedAnswer): boolean =>
  heard.kind === 'RESULT' && (heard.status === 'S' || heard.code === 'PAYMENT_IN_PROCESS')

type Ran = { run: Run; ending: Ending; seconds: number; followed: Followed; ledger: Ledger }

function sumUp(
  { setup, objectives }: LoadOptions,
  { run, ending, seconds, followed, ledger }: Ran,
): Summary {
  const { tally } = run
  const fates = tally.fates()
  const measured = tally.latency()
  const corrected =
    setup.rate === null ? null : tally.latency((setup.connections * 1000) / setup.rate)
  const signatures = run.verify()
  const { contradictions } = ledger
  const measures: Measures = {
    ...latencyMeasures(corrected ?? measured),
    ...shareMeasures(tally, followed),
    rate: (tally.sent - fates.LOST) / seconds,
    contradictions: contradictions.length,
    wrongSignatures: signatures.wrong,
  }
  const verdicts = judgeObjectives(objectives, measures)
  return {
    setup,
    startedAt: new Date(performance.timeOrigin + run.startedAt).toISOString(),
    ending,
    seconds,
    sent: tally.sent,
    fates,
    codes: tally.codes(),
    latency: { measured, corrected },
    series: tally.series(),
    followed,
    signatures,
    contradictions,
    measures,
    verdicts,
    met: verdicts.every(({ met }) => met),
  }
}

const latencyMeasures = (of: Latency): Pick<Measures, 'p50' | 'p95' | 'p99' | 'p99.9' | 'max'> => ({
  p50: of.p50 ?? null,
  p95: of.p95 ?? null,
  p99: of.p99 ?? null,
  'p99.9': of['p99.9'] ?? null,
  max: of.max ?? null,
})

/** U and F count where they are not hoped for: a changed amount should be refused, an inquiry after an open order is U. */
function shareMeasures(
  tally: Tally,
  followed: Followed,
): Pick<Measures, 'uShare' | 'fShare' | 'lostShare' | 'openShare'> {
  const all = tally.fates()
  const placed = tally.fates(['new', 'repeat', 'inconsistent'])
  const first = tally.fates(['new'])
  return {
    uShare: share(placed.U, sum(placed)),
    fShare: share(first.F, sum(first)),
    lostShare: share(all.LOST, sum(all)),
    openShare: share(followed.open, sum(first)),
  }
}

const sum = (count: Record<string, number>): number =>
  Object.values(count).reduce((a, b) => a + b, 0)
const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
