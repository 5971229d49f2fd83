import { callerOptions, readCallerConfig } from '../cli/caller-options.ts'
import { type Command, exitCode, UsageError } from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs } from '../cli/options.ts'
import { orderCall, readSample, withFields } from '../cli/sample-order.ts'
import { describeAnswer, exchangeAsJson, showExchange } from '../cli/show.ts'
import { PlaceOrderClient } from '../client/place-order-client.ts'
import { parseInquiryAnswer } from '../client/read-answer.ts'

const options = {
  ...callerOptions,
  'acquirer-id': {
    type: 'string',
    value: '<id>',
    help: "the order's acquirerId; else the sample's",
  },
  'psp-id': { type: 'string', value: '<id>', help: "the order's pspId; else the sample's" },
  expect: { type: 'string', value: '<code>', help: "the order's expected result code; else any" },
  json: { type: 'boolean', help: 'print request and answer as JSON' },
} as const

const notes = [
  'Exits 0 when the answer has the order’s result, 1 when not, 2 on invalid arguments.',
]

export const command: Command = {
  name: 'inquire',
  summary: 'Inquires after an order.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { positionals: '<paymentId>', options, notes }, terminal)
      return exitCode.ok
    }
    const { values, positionals } = readArgs(args, options, 1)
    const [paymentId] = positionals
    if (paymentId === undefined) throw new UsageError('missing paymentId: inquire <paymentId>')
    const ids = await idsOf(paymentId, values)
    const client = new PlaceOrderClient(await readCallerConfig(values, terminal))
    try {
      const exchange = await client.inquire(ids)
      const parsed = parseInquiryAnswer(exchange.reply)
      if (values.json)
        terminal.print(JSON.stringify({ result: parsed, ...exchangeAsJson(exchange) }, null, 2))
      else {
        showExchange(exchange, terminal)
        terminal.print(`the order  ${describeAnswer(parsed, terminal)}`)
      }
      if (parsed.kind !== 'RESULT') return exitCode.failed
      return values.expect === undefined || values.expect === parsed.code
        ? exitCode.ok
        : exitCode.failed
    } finally {
      await client.close()
    }
  },
}

type IdValues = { sample?: string; 'acquirer-id'?: string; 'psp-id'?: string }

async function idsOf(paymentId: string, values: IdValues) {
  const { 'acquirer-id': acquirerId, 'psp-id': pspId } = values
  const fields = withFields(await readSample(values.sample), {
    paymentId,
    ...(acquirerId === undefined ? {} : { acquirerId }),
    ...(pspId === undefined ? {} : { pspId }),
  })
  const { ids } = orderCall(Buffer.from(JSON.stringify(fields)))
  if (ids === undefined)
    throw new UsageError('--sample: has no acquirerId and pspId; give --acquirer-id and --psp-id')
  return ids
}
