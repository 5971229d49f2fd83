import { callerOptions, readCallerConfig } from '../cli/caller-options.ts'
import { type Command, exitCode, UsageError } from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs, readNumber } from '../cli/options.ts'
import { newPaymentId, orderCall, readSample, withField, withFields } from '../cli/sample-order.ts'
import { describeAnswer, exchangeAsJson, showExchange } from '../cli/show.ts'
import type { Terminal } from '../cli/terminal.ts'
import {
  type CallResult,
  type CallStep,
  callPlaceOrder,
  hasFinalResult,
  type OrderCall,
} from '../client/call-place-order.ts'
import { PlaceOrderClient } from '../client/place-order-client.ts'
import { type ParsedAnswer, parsePlaceAnswer } from '../client/read-answer.ts'

const options = {
  ...callerOptions,
  'payment-id': {
    type: 'string',
    value: '<id>',
    help: 'the paymentId; else a new one for each order',
  },
  set: {
    type: 'string',
    multiple: true,
    value: '<field=text>',
    help: 'change a field of the order, such as merchant.merchantMCC=7995; may be repeated',
  },
  'keep-payment-id': { type: 'boolean', help: "send the sample's bytes unchanged" },
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
    help: 'the expected result code',
  },
  json: { type: 'boolean', help: 'print requests and answers as JSON' },
} as const

const notes = [
  'Exits 0 when the answer is signed and as expected, 1 when not, 2 on invalid arguments.',
]

export const command: Command = {
  name: 'place',
  summary: 'Places an order and shows the request, the answer, and whether its signature is right.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { options, notes }, terminal)
      return exitCode.ok
    }
    const { values } = readArgs(args, options)
    const timeFactor = readNumber('time-factor', values['time-factor'])
    const order = await orderOf(values)
    const client = new PlaceOrderClient(await readCallerConfig(values, terminal))
    const show = values.json ? () => {} : showStep(terminal)
    try {
      const result = values['until-final']
        ? await callPlaceOrder(order, client, { timeFactor, onStep: show })
        : await placeOnce(order, client, show)
      const parsed = result.final ?? result.steps.at(-1)?.parsed
      if (values.json) terminal.print(JSON.stringify(callAsJson(result, parsed), null, 2))
      return parsed?.kind === 'RESULT' && parsed.code === values.expect
        ? exitCode.ok
        : exitCode.failed
    } finally {
      await client.close()
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
    throw new UsageError('--payment-id and --keep-payment-id cannot be combined')
  if (keep && set.length > 0) throw new UsageError('--set and --keep-payment-id cannot be combined')
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
  client: PlaceOrderClient,
  onStep: (step: CallStep) => void,
): Promise<CallResult> {
  const exchange = await client.place(order.body)
  const parsed = parsePlaceAnswer(exchange.reply)
  const step: CallStep = { kind: 'PLACE', atMs: 0, exchange, parsed }
  onStep(step)
  return { final: hasFinalResult(parsed) ? parsed : undefined, steps: [step] }
}

/**
 * Shows the first exchange in full and later ones in a line: those differ in the signature only.
 */
function showStep(terminal: Terminal): (step: CallStep) => void {
  return ({ kind, atMs, exchange, parsed }) => {
    if (kind === 'PLACE') showExchange(exchange, terminal)
    const line =
      kind === 'PLACE'
        ? 'result    '
        : `${(atMs / 1000).toFixed(1)} s ${kind.toLowerCase()}`.padEnd(10)
    terminal.print(`${line} ${describeAnswer(parsed, terminal)}`)
  }
}

function callAsJson({ steps }: CallResult, parsed: ParsedAnswer | undefined) {
  const exchanges = steps.map(({ kind, atMs, exchange, parsed }) => ({
    kind,
    atMs: Math.round(atMs),
    ...exchangeAsJson(exchange),
    parsed,
  }))
  return { result: parsed, steps: exchanges }
}
