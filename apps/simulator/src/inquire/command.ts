import { callerOptions, readWho } from '../cli/caller-options.ts'
import { type Command, exit, UsageError } from '../cli/command.ts'
import { asksForHelp, printHelp, readArgs } from '../cli/options.ts'
import { orderCall, readSample, withFields } from '../cli/sample-order.ts'
import { exchangeAsJson, heardWords, showExchange } from '../cli/show.ts'
import { Caller } from '../client/caller.ts'
import { hearInquired } from '../client/read-answer.ts'

const options = {
  ...callerOptions,
  'acquirer-id': {
    type: 'string',
    value: '<id>',
    help: "the order's acquirerId; else the sample's",
  },
  'psp-id': { type: 'string', value: '<id>', help: "the order's pspId; else the sample's" },
  expect: { type: 'string', value: '<code>', help: "the order's result code hoped for; else any" },
  json: { type: 'boolean', help: 'print what went over the wire as JSON' },
} as const

const notes = [
  'Exits 0 when the acquirer tells how the order stands, 1 when not, 2 when the arguments make no sense.',
]

export const command: Command = {
  name: 'inquire',
  summary: 'Asks how an order stands.',
  async run(args, terminal) {
    if (asksForHelp(args)) {
      printHelp(this, { positionals: '<paymentId>', options, notes }, terminal)
      return exit.good
    }
    const { values, positionals } = readArgs(args, options, 1)
    const [paymentId] = positionals
    if (paymentId === undefined) throw new UsageError('which order? inquire <paymentId>')
    const ids = await idsOf(paymentId, values)
    const caller = new Caller(await readWho(values, terminal))
    try {
      const exchange = await caller.inquire(ids)
      const heard = hearInquired(exchange.reply)
      if (values.json)
        terminal.print(JSON.stringify({ result: heard, ...exchangeAsJson(exchange) }, null, 2))
      else {
        showExchange(exchange, terminal)
        terminal.print(`the order  ${heardWords(heard, terminal)}`)
      }
      if (heard.kind !== 'RESULT') return exit.missed
      return values.expect === undefined || values.expect === heard.code ? exit.good : exit.missed
    } finally {
      await caller.close()
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
