import { callerOptions, readCallerConfig } from '../cli/caller-options.ts'
import { type Command, exitCode, noResult, UsageError, untilInterrupted } from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs, readNumber } from '../cli/options.ts'
import { readSample } from '../cli/sample-order.ts'
import type { Terminal } from '../cli/terminal.ts'
import { writeOptionFile } from '../cli/write-option-file.ts'
import type { AcceptanceCase } from './case.ts'
import { ANSWER_WITHIN_MS, allCases } from './cases/all-cases.ts'
import { readFixtures } from './fixtures.ts'
import type { Fields } from './order.ts'
import { pick } from './pick.ts'
import type { Acceptance } from './report/acceptance.ts'
import { acceptanceAsJson } from './report/json.ts'
import { junitXml } from './report/junit.ts'
import { pageHtml } from './report/page.ts'
import { printAcceptance, printCases } from './report/print.ts'
import { countVerdicts, runCases } from './run-cases.ts'

const options = {
  ...callerOptions,
  fixtures: {
    type: 'string',
    value: '<json>',
    help: 'orders that meet states of the acquirer; see docs/acceptance.md',
  },
  only: {
    type: 'string',
    value: '<names>',
    help: 'only these cases or chapters, such as idempotency,fields/codeValue',
  },
  without: {
    type: 'string',
    value: '<names>',
    help: 'all but these; `ours` leaves out rules that Alipay+ does not publish',
  },
  concurrency: { type: 'string', value: '<n>', default: '8', help: 'cases at the same moment' },
  'answer-within': {
    type: 'string',
    value: '<ms>',
    default: `${ANSWER_WITHIN_MS}`,
    help: 'the longest permitted time to an answer',
  },
  'final-within': {
    type: 'string',
    value: '<s>',
    default: '30',
    help: 'for how long an order that is answered U is repeated',
  },
  junit: { type: 'string', value: '<xml>', help: 'write a JUnit report' },
  html: {
    type: 'string',
    value: '<html>',
    help: 'write an HTML report with every request and answer',
  },
  list: { type: 'boolean', help: 'print the cases and send nothing' },
  json: { type: 'boolean', help: 'print the results as JSON' },
} as const

const notes = [
  'The sample must be an order that is answered SUCCESS. Some 250 orders like it are placed: run',
  'this against a sandbox.',
  'Exits 0 when no case failed, 1 when one did or nobody answers, 2 on invalid arguments.',
]

export const command: Command = {
  name: 'acceptance',
  summary: 'Tests whether an acquirer keeps the contract of placeOrder.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options, notes }, terminal)
      return exitCode.ok
    }
    const { values } = readArgs(args, options)
    const answerWithinMs = readNumber('answer-within', values['answer-within'], {
      min: 1,
      max: 60_000,
    })
    const cases = pick(allCases(answerWithinMs), values)
    if (values.list) {
      printCases(cases, terminal)
      return exitCode.ok
    }
    try {
      const acceptance = await run(cases, answerWithinMs, values, terminal)
      if (values.junit !== undefined)
        await writeOptionFile('junit', values.junit, junitXml(acceptance))
      if (values.html !== undefined)
        await writeOptionFile('html', values.html, pageHtml(acceptance))
      if (values.json) terminal.print(JSON.stringify(acceptanceAsJson(acceptance), null, 2))
      else printAcceptance(acceptance, terminal)
      return countVerdicts(acceptance.outcomes, 'FAILED') === 0 ? exitCode.ok : exitCode.failed
    } catch (error) {
      return noResult(error, terminal)
    }
  },
}

type Values = Parameters<typeof readCallerConfig>[0] & {
  sample?: string
  fixtures?: string
  concurrency: string
  'final-within': string
}

async function run(
  cases: readonly AcceptanceCase[],
  answerWithinMs: number,
  values: Values,
  terminal: Terminal,
): Promise<Acceptance> {
  const config = await readCallerConfig(values, terminal)
  if (config.serverKey === undefined)
    throw new UsageError('--server-key: needed to verify that answers are signed')
  const setting = {
    config,
    sample: await readOrder(values.sample),
    answerWithinMs,
    finalWithinMs: 1000 * readNumber('final-within', values['final-within'], { max: 3_600 }),
  }
  const fixtures = await readFixtures(values.fixtures)
  const concurrency = readNumber('concurrency', values.concurrency, {
    min: 1,
    max: 100,
    whole: true,
  })
  const startedAt = new Date()
  const clock = performance.now()
  try {
    const onProgress = (done: number, of: number) => terminal.progress(`${done} of ${of} cases`)
    const outcomes = await untilInterrupted('stopped', (signal) =>
      runCases(cases, { setting, fixtures, concurrency, signal, onProgress }),
    )
    const seconds = (performance.now() - clock) / 1000
    return { url: config.url.href, clientId: config.clientId, startedAt, seconds, outcomes }
  } finally {
    terminal.progress('')
  }
}

async function readOrder(path: string | undefined): Promise<Fields> {
  const { fields } = await readSample(path)
  if (fields === undefined) throw new UsageError(`--sample ${path}: is not a JSON object`)
  return fields
}
