import { callerOptions, readWho } from '../cli/caller-options.ts'
import { type Command, exit, UsageError } from '../cli/command.ts'
import { asksForHelp, numberOf, printHelp, readArgs } from '../cli/options.ts'
import { readSample } from '../cli/sample-order.ts'
import type { Terminal } from '../cli/terminal.ts'
import { writeNamed } from '../cli/write-named.ts'
import type { Case } from './case.ts'
import { ANSWER_WITHIN_MS, allCases } from './cases/all-cases.ts'
import { readFixtures } from './fixtures.ts'
import type { Fields } from './order.ts'
import { pick } from './pick.ts'
import type { Acceptance } from './report/acceptance.ts'
import { acceptanceAsJson } from './report/json.ts'
import { junitXml } from './report/junit.ts'
import { pageHtml } from './report/page.ts'
import { printAcceptance, printCases } from './report/print.ts'
import { count, NobodyAnswers, runCases, Stopped } from './run-cases.ts'

const options = {
  ...callerOptions,
  fixtures: {
    type: 'string',
    value: '<json>',
    help: 'orders that meet states of the acquirer; see docs/acceptance.md',
  },
  only: {
    type: 'string',
    value: '<words>',
    help: 'these cases or chapters alone, such as idempotency,fields/codeValue',
  },
  without: {
    type: 'string',
    value: '<words>',
    help: 'all but these; `ours` leaves out what no document of Alipay+ says',
  },
  concurrency: { type: 'string', value: '<n>', default: '8', help: 'cases at the same moment' },
  'answer-within': {
    type: 'string',
    value: '<ms>',
    default: `${ANSWER_WITHIN_MS}`,
    help: 'by when an answer must be there',
  },
  'final-within': {
    type: 'string',
    value: '<s>',
    default: '30',
    help: 'how long an order that is answered U may stay open',
  },
  junit: { type: 'string', value: '<xml>', help: 'write a JUnit report' },
  html: {
    type: 'string',
    value: '<html>',
    help: 'write a report to read, with every request and answer',
  },
  list: { type: 'boolean', help: 'print the cases, and send nothing' },
  json: { type: 'boolean', help: 'print the outcome as JSON' },
} as const

const notes = [
  'The sample must be an order that is placed. Some 250 like it are placed, so run this against a sandbox.',
  'Exits 0 when no case failed, 1 when one did or nobody answers, 2 when the arguments make no sense.',
]

export const command: Command = {
  name: 'acceptance',
  summary: 'Puts an acquirer to the test: does it keep the contract of placeOrder?',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options, notes }, terminal)
      return exit.good
    }
    const { values } = readArgs(args, options)
    const answerWithinMs = numberOf('answer-within', values['answer-within'], {
      min: 1,
      max: 60_000,
    })
    const cases = pick(allCases(answerWithinMs), values)
    if (values.list) {
      printCases(cases, terminal)
      return exit.good
    }
    try {
      const acceptance = await run(cases, answerWithinMs, values, terminal)
      if (values.junit !== undefined) await writeNamed('junit', values.junit, junitXml(acceptance))
      if (values.html !== undefined) await writeNamed('html', values.html, pageHtml(acceptance))
      if (values.json) terminal.print(JSON.stringify(acceptanceAsJson(acceptance), null, 2))
      else printAcceptance(acceptance, terminal)
      return count(acceptance.outcomes, 'FAILED') === 0 ? exit.good : exit.missed
    } catch (error) {
      if (!(error instanceof NobodyAnswers) && !(error instanceof Stopped)) throw error
      terminal.note(terminal.paint('red', error.message))
      return exit.missed
    }
  },
}

type Values = Parameters<typeof readWho>[0] & {
  sample?: string
  fixtures?: string
  concurrency: string
  'final-within': string
}

async function run(
  cases: readonly Case[],
  answerWithinMs: number,
  values: Values,
  terminal: Terminal,
): Promise<Acceptance> {
  const who = await readWho(values, terminal)
  if (who.serverKey === undefined)
    throw new UsageError('--server-key: whether answers are signed cannot be told without it')
  const setting = {
    who,
    sample: await readOrder(values.sample),
    answerWithinMs,
    finalWithinMs: 1000 * numberOf('final-within', values['final-within'], { max: 3_600 }),
  }
  const fixtures = await readFixtures(values.fixtures)
  const concurrency = numberOf('concurrency', values.concurrency, { min: 1, max: 100, whole: true })
  const stop = new AbortController()
  const onSignal = () => stop.abort(new Stopped())
  process.once('SIGINT', onSignal)
  const startedAt = new Date()
  const clock = performance.now()
  try {
    const outcomes = await runCases(cases, {
      setting,
      fixtures,
      concurrency,
      signal: stop.signal,
      onProgress: (done, of) => terminal.progress(`${done} of ${of} cases`),
    })
    const seconds = (performance.now() - clock) / 1000
    return { url: who.url.href, clientId: who.clientId, startedAt, seconds, outcomes }
  } finally {
    terminal.progress('')
    process.removeListener('SIGINT', onSignal)
  }
}

async function readOrder(path: string | undefined): Promise<Fields> {
  const { fields } = await readSample(path)
  if (fields === undefined) throw new UsageError(`--sample ${path}: is no JSON object`)
  return fields
}
