import { type AcceptanceCase, code, protocolDoc } from '../case.ts'
import { agreed, codeAndId } from '../loose-answer.ts'
import { set } from '../order.ts'
import { UnmetPrecondition } from '../precondition.ts'
import { changes, more, nulls, rest } from './compared-terms.ts'
import { COPIES, cannotLearn, oneAnswer, paidTwice, paymentIdRule } from './one-answer.ts'

const ours = protocolDoc('Idempotency', 'ours')

const repeats: AcceptanceCase[] = [
  oneAnswer(
    'in-turn',
    { rule: 'Repeats get the same answer with the same paymentRequestId.', breaks: paidTwice },
    (context, order) => context.inTurn(order, 3),
  ),
  oneAnswer(
    'one-connection',
    { rule: 'Repeats over one connection get the same answer.', breaks: paidTwice },
    (context, order) => context.inTurn(order, 3, { connection: context.connection() }),
  ),
  oneAnswer(
    'same-bytes',
    {
      rule: 'The same request again, with the same signature and Request-Time, is a repeat.',
      breaks: paidTwice,
      source: protocolDoc('Request, Request-Time', 'ours'),
    },
    async (context, order) => {
      const sent = await context.prepared(order)
      return [await context.sendPrepared(sent), await context.sendPrepared(sent)]
    },
  ),
  oneAnswer(
    'written-otherwise',
    {
      rule: 'A body with other whitespace and another order of fields is the same order.',
      breaks: cannotLearn,
    },
    async (context, order) => {
      const reversed = Object.fromEntries(Object.entries(order).reverse())
      return [await context.place(Buffer.from(JSON.stringify(reversed, null, 3)))]
    },
  ),
  {
    name: 'idempotency/at-once',
    rule: `${COPIES} copies at the same moment, each over its own connection, are one order.`,
    source: paymentIdRule,
    breaks: paidTwice,
    expected: code('SUCCESS'),
    act: async (context) => agreed(await context.atOnce(Array(COPIES).fill(context.order()))),
  },
  oneAnswer(
    'at-once-again',
    {
      rule: `${COPIES} repeats at the same moment get the answer of the order.`,
      breaks: paidTwice,
    },
    (context, order) => context.atOnce(Array(COPIES).fill(order)),
  ),
  {
    name: 'idempotency/two-orders',
    rule: 'Orders that differ only in their paymentId are two orders.',
    source: paymentIdRule,
    breaks: 'The second of two equal purchases is not paid.',
    expected: code('SUCCESS'),
    act: async (context) => {
      const order = context.order()
      const [one, two] = [
        await context.placed(order),
        await context.placed({ ...context.order(), customerId: order.customerId }),
      ]
      return one.paymentRequestId === two.paymentRequestId ? `twice ${codeAndId(one)}` : two.code
    },
  },
]

const finals: AcceptanceCase[] = [
  {
    name: 'idempotency/refusal-stands',
    rule: 'An order that was answered F stays F, even if its repeat is without fault.',
    source: ours,
    breaks:
      'The wallet shows a failure, the payer pays in cash, and then this payment succeeds too.',
    expected: code('INVALID_CODE'),
    act: async (context) => {
      const good = context.order()
      const first = await context.place(set('codeValue', 'https://nobody.example/made/this')(good))
      if (first.status === 'S')
        throw new UnmetPrecondition('an order for an unknown code was placed')
      return agreed([
        first,
        await context.place(set('codeValue', 'https://nobody.example/made/this')(good)),
        await context.place(good),
      ])
    },
  },
  {
    name: 'idempotency/refused-at-the-endpoint',
    rule: 'A malformed message is not stored: a corrected one may use the same paymentId.',
    source: ours,
    breaks: 'After one malformed message the payer can never pay this order.',
    expected: code('SUCCESS'),
    act: async (context) => {
      const order = context.order()
      const refused = await context.place(set('codeValue', '')(order))
      if (refused.code !== 'PARAM_ILLEGAL')
        throw new UnmetPrecondition(`"" was answered ${refused.code}`)
      return (await context.place(order)).code
    },
  },
  {
    name: 'idempotency/forged-leaves-no-trace',
    rule: 'A forged message is not stored: the genuine order with its paymentId is placed.',
    source: ours,
    breaks: 'Whoever guesses a paymentId can prevent the payment.',
    expected: code('SUCCESS'),
    act: async (context) => {
      const order = context.order()
      const forged = await context.place(more('paymentAmount')(order), {
        signed: { time: '2020-01-01T00:00:00Z' },
      })
      if (forged.status === 'S') throw new UnmetPrecondition('a forged message was placed')
      return (await context.place(order)).code
    },
  },
]

const toTheEnd: AcceptanceCase = {
  name: 'idempotency/to-the-end',
  rule: 'The first order of the run still has the same answer after all other cases.',
  source: protocolDoc('Idempotency'),
  breaks: 'A late repeat, for instance after an outage, is a new order: the payer pays twice.',
  expected: code('SUCCESS'),
  last: true,
  act: async (context) => {
    const { order, answer } = context.setting.first
    return agreed([answer, ...(await context.inTurn(order, 2))])
  },
}

export const idempotency: readonly AcceptanceCase[] = [
  ...repeats,
  ...changes,
  ...rest,
  ...nulls,
  ...finals,
  toTheEnd,
]
