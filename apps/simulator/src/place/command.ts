import { callerOptions, readWho } from '../cli/caller-options.ts'
import { type Command, exit, UsageError } from '../cli/command.ts'
import { asksForHelp, numberOf, printHelp, readArgs } from '../cli/options.ts'
import { newPaymentId, orderCall, readSample, withField, withFields } from '../cli/sample-order.ts'
import { exchangeAsJson, heardWords, showExchange } from '../cli/show.ts'
import type { Terminal } from '../cli/terminal.ts'
import {
  type Call,
  callPlaceOrder,
  isFinal,
  type OrderCall,
  type Step,
} from '../client/call-place-order.ts'
import { Caller } from '../client/caller.ts'
import { hearPlaced, type ParsedAnswer } from '../client/read-answer.ts'

const options = {
  ...callerOptions,
  'payment-id': { type: 'string', value: '<id>', help: 'the paymentId; else a new one each time' },
  set: {
    type: 'string',
    multiple: true,
    value: '<field=text>',
    help: 'change a field of the order, such as merchant.merchantMCC=7995; may be given again',
  },
  'keep-payment-id': { type: 'boolean', help: "send the sample's bytes as they are" },
  'until-final': { type: 'boolean', help: 'repeat and inquire as Alipay+ does, until S or F' },
  'time-factor': {
    type: 'string',
    value: '<x>',
    default: '1',
    help: 'multiplies the waits between inquiries',
  },
  expect: {
    type: 'string',
    value: '<code>',
    default: 'SUCCESS',
    help: 'the result code hoped for',
  },
  json: { type: 'boolean', help: 'print what went over the wire as JSON' },
} as const

const notes = [
  'Exits 0 when the answer is signed and as hoped, 1 when not, 2 when the arguments make no sense.',
]

export const command: Command = {
  name: 'place',
  summary:
    'Places an order, and shows the request as sent, the answer, and whether its signature is right.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options, notes }, terminal)
      return exit.good
    }
    const { values } = readArgs(args, options)
    const timeFactor = numberOf('time-factor', values['time-factor'])
    const order = await orderOf(values)
    const caller = new Caller(await readWho(values, terminal))
    const show = values.json ? () => {} : showStep(terminal)
    try {
      const call = values['until-final']
        ? await callPlaceOrder(order, caller, { timeFactor, onStep: show })
        : await placeOnce(order, caller, show)
      const heard = call.final ?? call.steps.at(-1)?.heard
      if (values.json) terminal.print(JSON.stringify(callAsJson(call, heard), null, 2))
      return heard?.kind === 'RESULT' && heard.code === values.expect ? exit.good : exit.missed
    } finally {
      await caller.close()
    }
  },
}

type OrderValues = {
  sample?: string
  set?: string[]
  'payment-id'?: string
  'keep-payment-id'?: boolean
}

async function orderOf(values: OrderValues): Promise<OrderCall> {
  const { set = [], 'payment-id': paymentId, 'keep-payment-id': keep = false } = values
  if (keep && paymentId !== undefined)
    throw new UsageError('--payment-id and --keep-payment-id exclude each other')
  if (keep && set.length > 0) throw new UsageError('--set and --keep-payment-id exclude each other')
  const sample = await readSample(values.sample)
  if (keep) return orderCall(sample.bytes)
  const fields = set.reduce(
    withField,
    withFields(sample, { paymentId: paymentId ?? newPaymentId() }),
  )
  return orderCall(Buffer.from(JSON.stringify(fields, null, 2)))
}

async function placeOnce(
  order: OrderCall,
  caller: Caller,
  onStep: (step: Step) => void,
): Promise<Call> {
  const exchange = await caller.place(order.body)
  const heard = hearPlaced(exchange.reply)
  const step: Step = { kind: 'PLACE', atMs: 0, exchange, heard }
  onStep(step)
  return { final: isFinal(heard) ? heard : undefined, steps: [step] }
}

/** The first exchange in full, the later ones in a line each: they differ in the signature only. */
function showStep(terminal: Terminal): (step: Step) => void {
  return ({ kind, atMs, exchange, heard }) => {
    if (kind === 'PLACE') showExchange(exchange, terminal)
    const line =
      kind === 'PLACE'
        ? 'result    '
        : `${(atMs / 1000).toFixed(1)} s ${kind.toLowerCase()}`.padEnd(10)
    terminal.print(`${line} ${heardWords(heard, terminal)}`)
  }
}

function callAsJson({ steps }: Call, heard: ParsedAnswer | undefined) {
  const told = steps.map(({ kind, atMs, exchange, heard }) => ({
    kind,
    atMs: Math.round(atMs),
    ...exchangeAsJson(exchange),
    heard,
  }))
  return { result: heard, steps: told }
}
