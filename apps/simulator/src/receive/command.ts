import { randomBytes } from 'node:crypto'
import {
  type Command,
  exitCode,
  StoppedError,
  UsageError,
  untilInterrupted,
} from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs, readNumber } from '../cli/options.ts'
import type { Terminal } from '../cli/terminal.ts'
import { type Delivery, type Failure, openReceiver } from './receiver.ts'

const options = {
  port: {
    type: 'string',
    value: '<port>',
    default: '4100',
    help: 'the port of 127.0.0.1 to listen on; 0: any that is free',
  },
  secret: {
    type: 'string',
    value: '<whsec_…>',
    help: 'the secret of the sink; without it, one is made and shown',
  },
  fail: { type: 'boolean', help: 'answer HTTP 500' },
  hang: { type: 'boolean', help: 'do not answer' },
  answer: {
    type: 'string',
    value: '<status>',
    help: 'answer this HTTP status, such as 410 or 429',
  },
  'retry-after': {
    type: 'string',
    value: '<seconds>',
    help: 'with --fail or --answer: the Retry-After of that answer',
  },
  first: {
    type: 'string',
    value: '<n>',
    help: 'fail, hang or answer so for the first n requests only; else for all',
  },
  count: {
    type: 'string',
    value: '<n>',
    help: 'end after n different events; else with Ctrl-C',
  },
  json: { type: 'boolean', help: 'print each request as a line of JSON' },
} as const

const notes = [
  'Exits 0 when every request was signed with the secret, 1 when one was not, 2 on invalid',
  'arguments.',
]

export const command: Command = {
  name: 'receive',
  summary: 'Receives events as a webhook on this machine, verifies and prints them.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options, notes }, terminal)
      return exitCode.ok
    }
    const { values } = readArgs(args, options)
    const { secret = `whsec_${randomBytes(32).toString('base64')}`, json = false } = values
    if (!/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/.test(secret))
      throw new UsageError('--secret: is not whsec_ and the base64 of 24 to 64 bytes')
    const run = {
      port: readNumber('port', values.port, { max: 65_535, whole: true }),
      secret,
      failure: readFailure(values),
      count: readOptional('count', values.count),
    }
    const show = json ? showAsJson : showDelivery
    const shown = { terminal, show, isNew: values.secret === undefined }
    return (await receive(run, shown)) ? exitCode.ok : exitCode.failed
  },
}

type Run = {
  port: number
  secret: string
  failure: { how: Failure; times: number } | undefined
  count: number
}
type Show = (delivery: Delivery, terminal: Terminal) => void

/** Receives until enough has come, or Ctrl-C. Whether all of it was signed. */
async function receive(
  { count, ...run }: Run,
  { terminal, show, isNew }: { terminal: Terminal; show: Show; isNew: boolean },
): Promise<boolean> {
  const enough = Promise.withResolvers<void>()
  let taken = 0
  let faults = 0
  const onDelivery = (delivery: Delivery) => {
    show(delivery, terminal)
    if (delivery.fault !== undefined) faults += 1
    if (delivery.isTaken) taken += delivery.events.filter(({ isRepeat }) => !isRepeat).length
    if (taken >= count) enough.resolve()
  }
  const receiver = await openReceiver({ ...run, onDelivery }).catch((cause: Error) => {
    throw new UsageError(`--port ${run.port}: ${cause.message}`, { cause })
  })
  try {
    terminal.note(`receiving on ${receiver.url}; Ctrl-C ends it`)
    if (isNew) terminal.note(`a sink for config/events.json:\n${sinkOf(receiver.url, run.secret)}`)
    await untilInterrupted('stopped', (signal) => {
      signal.addEventListener('abort', () => enough.reject(signal.reason), { once: true })
      return enough.promise
    })
  } catch (error) {
    if (!(error instanceof StoppedError)) throw error
  } finally {
    await receiver.close()
  }
  const wrong = faults === 0 ? '' : `; refused ${faults} requests`
  terminal.note(`received ${taken} different events${wrong}`)
  return faults === 0
}

const sinkOf = (url: string, secret: string): string =>
  JSON.stringify({ sinks: [{ name: 'receiver', type: 'webhook', url, secrets: [secret] }] })

type FailureValues = {
  fail?: boolean
  hang?: boolean
  answer?: string
  'retry-after'?: string
  first?: string
}

/** @throws UsageError when the options contradict each other */
function readFailure(values: FailureValues): Run['failure'] {
  const { fail, hang, answer, 'retry-after': retryAfter } = values
  const given = [fail, hang, answer].filter((value) => value !== undefined)
  if (given.length > 1) throw new UsageError('--fail, --hang, --answer: only one of them')
  if (given.length === 0 && values.first !== undefined)
    throw new UsageError('--first: needs --fail, --hang or --answer')
  if (retryAfter !== undefined) {
    if (fail !== true && answer === undefined)
      throw new UsageError('--retry-after: needs --fail or --answer')
    readNumber('retry-after', retryAfter, { whole: true })
  }
  if (given.length === 0) return undefined
  const times = readOptional('first', values.first)
  if (hang === true) return { how: { kind: 'HANG' }, times }
  const status = readNumber('answer', answer ?? '500', { min: 200, max: 599, whole: true })
  const after = retryAfter === undefined ? {} : { retryAfter }
  return { how: { kind: 'ANSWER', status, ...after }, times }
}

/** A number of times; without the option there is no end. */
const readOptional = (option: string, text: string | undefined): number =>
  text === undefined ? Number.POSITIVE_INFINITY : readNumber(option, text, { min: 1, whole: true })

function showDelivery(delivery: Delivery, terminal: Terminal): void {
  const { answered, isTaken, fault, isBatch, events } = delivery
  const status = terminal.paint(isTaken ? 'green' : 'red', String(answered))
  const verdict = fault === undefined ? 'signature verified' : fault
  const what = isBatch ? `  a batch of ${events.length}` : ''
  const colour = fault === undefined ? 'green' : 'red'
  terminal.print(`${status}  ${terminal.paint(colour, verdict)}${what}`)
  for (const { event, isRepeat } of events) {
    const code = event.data?.result.resultCode ?? ''
    const again = isRepeat ? terminal.paint('yellow', '  a repeat') : ''
    terminal.print(`  ${event.type}  ${event.subject ?? ''}  ${code}${again}`)
    terminal.print(`  ${terminal.paint('dim', JSON.stringify(event))}`)
  }
}

const showAsJson: Show = (delivery, terminal) => terminal.print(JSON.stringify(delivery))
