import { NoAnswerError } from '../cli/command.ts'
import type { Terminal } from '../cli/terminal.ts'
import { checkSignature } from '../client/answer-signature.ts'
import {
  type CallerConfig,
  noAnswerText,
  PlaceOrderClient,
  type Reply,
  requestTarget,
} from '../client/place-order-client.ts'
import { type ParsedAnswer, parseInquiryAnswer, parsePlaceAnswer } from '../client/read-answer.ts'
import { Ledger } from './ledger.ts'
import type { HttpAnswer, RequestResult } from './load-connection.ts'
import { planRequests } from './mix.ts'
import { judgeObjectives, type Measures, type Objective } from './objectives.ts'
import { type OrderTemplate, paymentIdOf, requestBody } from './order-template.ts'
import { Poller, type PollResults } from './poller.ts'
import { type EndReason, sendLoad } from './send-load.ts'
import { type ReadyRequest, signPlanned } from './sign-planned.ts'
import type { Setup, Signatures, Summary } from './summary.ts'
import { Supply } from './supply.ts'
import { AnswerTally, type Latency } from './tally.ts'

export type RunLoadOptions = {
  config: CallerConfig
  template: OrderTemplate
  setup: Setup
  objectives: readonly Objective[]
  /** Multiplies the waits of the inquiry schedule for orders that are open. */
  timeFactor: number
  signal: AbortSignal
  terminal: Pick<Terminal, 'progress'>
}

/**
 * How many answers have their signatures verified: enough to find one wrong signature in a hundred.
 */
const VERIFIED_MAX = 1000

/** How often the progress line changes, in ms. */
const PROGRESS_MS = 500

/**
 * Runs a load and returns its summary.
 *
 * @throws NoAnswerError when the probe is not answered
 * @throws the signal's reason when it is aborted before the clock starts; later it ends the run
 */
export async function runLoad(options: RunLoadOptions): Promise<Summary> {
  const { config, template, setup, signal, terminal, timeFactor } = options
  const client = new PlaceOrderClient(config)
  try {
    await probe(client, template)
    const planned = planRequests(setup.amount, setup.mix, 2 * setup.connections)
    const ready = await signPlanned(planned, template, config, {
      signal,
      onProgress: signingBar(setup.amount, terminal),
    })
    const ledger = new Ledger()
    const poller = new Poller({ template, client, ledger, timeFactor, signal })
    const run = new Run(config, template, ready, ledger, poller)
    const ending = await run.send(setup, signal, terminal)
    const seconds = run.seconds
    terminal.progress(`polling ${poller.polled.orders} orders until they are final`)
    const polled = await poller.done()
    return summarize(options, { run, ending, seconds, polled, ledger })
  } finally {
    terminal.progress('')
    await client.close()
  }
}

/** Places one order, to find a wrong URL or certificate before ten thousand requests are signed. */
async function probe(client: PlaceOrderClient, template: OrderTemplate): Promise<void> {
  const { reply } = await client.place(
    requestBody({ ...template, run: `${template.run}A` }, { kind: 'new', order: 0 }),
  )
  if (reply.kind !== 'ANSWERED') throw new NoAnswerError(noAnswerText(reply))
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

/** One run: sends the requests, and collects the answers. */
class Run {
  readonly tally: AnswerTally
  readonly startedAt = performance.now()
  readonly #config: CallerConfig
  readonly #template: OrderTemplate
  readonly #supply: Supply
  readonly #ledger: Ledger
  readonly #poller: Poller
  readonly #verifyEach: number
  readonly #toVerify: { request: ReadyRequest; answer: HttpAnswer }[] = []

  /** Starts the clock. */
  constructor(
    config: CallerConfig,
    template: OrderTemplate,
    ready: readonly ReadyRequest[],
    ledger: Ledger,
    poller: Poller,
  ) {
    this.tally = new AnswerTally(this.startedAt)
    this.#config = config
    this.#template = template
    this.#supply = new Supply(ready)
    this.#ledger = ledger
    this.#poller = poller
    this.#verifyEach = Math.ceil(ready.length / VERIFIED_MAX)
  }

  get seconds(): number {
    return (performance.now() - this.startedAt) / 1000
  }

  async send(
    setup: Setup,
    signal: AbortSignal,
    terminal: Pick<Terminal, 'progress'>,
  ): Promise<EndReason> {
    const bar = setInterval(() => terminal.progress(this.#progressOf(setup)), PROGRESS_MS)
    try {
      return await sendLoad(this.#supply, {
        origin: this.#config.url.origin,
        tls: this.#config.tls,
        connections: setup.connections,
        rate: setup.rate ?? undefined,
        durationMs: setup.durationS * 1000,
        onResult: (result) => this.#complete(result),
        signal,
      })
    } finally {
      clearInterval(bar)
    }
  }

  #complete(result: RequestResult): void {
    const { request, latencyMs } = result
    const parsed = parseResult(result)
    this.tally.add(result, parsed)
    const answeredAt = performance.now()
    this.#ledger.record(paymentIdOf(this.#template, request.order), request.kind, parsed, {
      sentAt: answeredAt - latencyMs,
      answeredAt,
    })
    if (request.kind === 'new') {
      this.#supply.orderDone(request.order, isAccepted(parsed) ? 'ACCEPTED' : 'UNSURE')
      if (parsed.kind !== 'RESULT' || parsed.status === 'U') this.#poller.poll(request.order)
    }
    if (result.kind === 'ANSWERED' && this.tally.sent % this.#verifyEach === 0) {
      this.#toVerify.push({ request, answer: result.answer })
    }
  }

  #progressOf({ amount, durationS }: Setup): string {
    const { S, F, U, LOST } = this.tally.statuses()
    const seconds = this.seconds
    const rate = Math.round(this.tally.sent / seconds)
    const time = `${seconds.toFixed(0)} of ${durationS} s`
    const requests = `${this.tally.sent} of ${amount}  ${rate}/s`
    return `${time}  ${requests}  S ${S}  F ${F}  U ${U}  lost ${LOST}`
  }

  /** Verifies the answers that were set aside; called when nothing is measured any more. */
  verify(): Signatures {
    const { serverKey, clientId } = this.#config
    if (serverKey === undefined) return { verified: 0, wrong: 0, unchecked: true }
    // autocannon decodes each chunk alone: a character cut in two is lost, and cannot be verified.
    const whole = this.#toVerify.filter(({ answer }) => !answer.body.includes('\uFFFD'))
    const wrong = whole.filter(({ request, answer }) => {
      const { headers, body } = answer
      const target = requestTarget(request.signed.url)
      return (
        checkSignature({ target, clientId, headers, body: Buffer.from(body) }, serverKey) !== 'GOOD'
      )
    })
    return { verified: whole.length, wrong: wrong.length, unchecked: false }
  }
}

function parseResult(result: RequestResult): ParsedAnswer {
  const reply = replyOf(result)
  return result.request.kind === 'inquiry' ? parseInquiryAnswer(reply) : parsePlaceAnswer(reply)
}

function replyOf(result: RequestResult): Reply {
  if (result.kind === 'TIMED_OUT')
    return { kind: 'TIMED_OUT', afterMs: Math.round(result.latencyMs) }
  if (result.kind === 'DROPPED') return { kind: 'DROPPED', reason: 'connection lost' }
  const { httpStatus, headers, body } = result.answer
  const signature = headers.signature === undefined ? 'MISSING' : 'UNCHECKED'
  return { kind: 'ANSWERED', httpStatus, headers, body: Buffer.from(body), signature }
}

const isAccepted = (parsed: ParsedAnswer): boolean =>
  parsed.kind === 'RESULT' && (parsed.status === 'S' || parsed.code === 'PAYMENT_IN_PROCESS')

type FinishedRun = {
  run: Run
  ending: EndReason
  seconds: number
  polled: PollResults
  ledger: Ledger
}

function summarize(
  { setup, objectives }: RunLoadOptions,
  { run, ending, seconds, polled, ledger }: FinishedRun,
): Summary {
  const { tally } = run
  const statuses = tally.statuses()
  const measured = tally.latency()
  const corrected =
    setup.rate === null ? null : tally.latency((setup.connections * 1000) / setup.rate)
  const signatures = run.verify()
  const { contradictions } = ledger
  const measures: Measures = {
    ...latencyMeasures(corrected ?? measured),
    ...shareMeasures(tally, polled),
    rate: (tally.sent - statuses.LOST) / seconds,
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
    statuses,
    codes: tally.codes(),
    latency: { measured, corrected },
    series: tally.series(),
    polled,
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

/**
 * Leaves out where U or F is expected: F for a changed amount, U for an inquiry after an open
 * order.
 */
function shareMeasures(
  tally: AnswerTally,
  polled: PollResults,
): Pick<Measures, 'uShare' | 'fShare' | 'lostShare' | 'openShare'> {
  const all = tally.statuses()
  const placed = tally.statuses(['new', 'repeat', 'inconsistent'])
  const first = tally.statuses(['new'])
  return {
    uShare: share(placed.U, sum(placed)),
    fShare: share(first.F, sum(first)),
    lostShare: share(all.LOST, sum(all)),
    openShare: share(polled.open, sum(first)),
  }
}

const sum = (count: Record<string, number>): number =>
  Object.values(count).reduce((a, b) => a + b, 0)
const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
