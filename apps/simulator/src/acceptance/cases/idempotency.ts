import { type Case, code, UnmetPrecondition, wire } from '../case.ts'
import { agreed, words } from '../loose-answer.ts'
import { set } from '../order.ts'
import { changes, more, nulls, rest } from './compared-terms.ts'
import { COPIES, cannotLearn, key, oneAnswer, paidTwice } from './one-answer.ts'

const ours = wire('Idempotency', 'ours')

const repeats: Case[] = [
  oneAnswer(
    'in-turn',
    { rule: 'Repeats get the same answer, with the same paymentRequestId.', breaks: paidTwice },
    (lab, order) => lab.inTurn(order, 3),
  ),
  oneAnswer(
    'one-connection',
    { rule: 'Repeats over one connection get the same answer.', breaks: paidTwice },
    (lab, order) => lab.inTurn(order, 3, { connection: lab.connection() }),
  ),
  oneAnswer(
    'same-bytes',
    {
      rule: 'The same bytes again, signature and Request-Time included, are a repeat.',
      breaks: paidTwice,
      source: wire('Request, Request-Time', 'ours'),
    },
    async (lab, order) => {
      const sent = await lab.made(order)
      return [await lab.sendMade(sent), await lab.sendMade(sent)]
    },
  ),
  oneAnswer(
    'written-otherwise',
    {
      rule: 'An order written with other blanks and in another order is the same order.',
      breaks: cannotLearn,
    },
    async (lab, order) => {
      const reversed = Object.fromEntries(Object.entries(order).reverse())
      return [await lab.place(Buffer.from(JSON.stringify(reversed, null, 3)))]
    },
  ),
  {
    name: 'idempotency/at-once',
    rule: `${COPIES} copies at the same moment, each over a connection of its own, are one order.`,
    source: key,
    breaks: paidTwice,
    expected: code('SUCCESS'),
    act: async (lab) => agreed(await lab.atOnce(Array(COPIES).fill(lab.order()))),
  },
  oneAnswer(
    'at-once-again',
    {
      rule: `${COPIES} repeats at the same moment get the answer of the order.`,
      breaks: paidTwice,
    },
    (lab, order) => lab.atOnce(Array(COPIES).fill(order)),
  ),
  {
    name: 'idempotency/two-orders',
    rule: 'Orders that are alike but for their paymentId are two.',
    source: key,
    breaks: 'The second coffee is not paid, since the first one was like it.',
    expected: code('SUCCESS'),
    act: async (lab) => {
      const order = lab.order()
      const [one, two] = [
        await lab.placed(order),
        await lab.placed({ ...lab.order(), customerId: order.customerId }),
      ]
      return one.paymentRequestId === two.paymentRequestId ? `twice ${words(one)}` : two.code
    },
  },
]

const finals: Case[] = [
  {
    name: 'idempotency/refusal-stands',
    rule: 'An order that was answered F stays F: repeats say the same, though nothing would be wrong with them by now.',
    source: ours,
    breaks:
      'The wallet has told the payer that it failed, he pays in cash, and then pays here too.',
    expected: code('INVALID_CODE'),
    act: async (lab) => {
      const good = lab.order()
      const first = await lab.place(set('codeValue', 'https://nobody.example/made/this')(good))
      if (first.status === 'S')
        throw new UnmetPrecondition('an order for a code that nobody made was placed')
      return agreed([
        first,
        await lab.place(set('codeValue', 'https://nobody.example/made/this')(good)),
        await lab.place(good),
      ])
    },
  },
  {
    name: 'idempotency/refused-at-the-endpoint',
    rule: 'A message that is refused for its form leaves no trace: put right, it may use the same paymentId.',
    source: ours,
    breaks: 'After a fault in one message the payer can never pay this order.',
    expected: code('SUCCESS'),
    act: async (lab) => {
      const order = lab.order()
      const refused = await lab.place(set('codeValue', '')(order))
      if (refused.code !== 'PARAM_ILLEGAL')
        throw new UnmetPrecondition(`"" was answered ${refused.code}`)
      return (await lab.place(order)).code
    },
  },
  {
    name: 'idempotency/forged-leaves-no-trace',
    rule: 'A forged message leaves no trace: the true order with this paymentId is placed.',
    source: ours,
    breaks: 'Whoever guesses a paymentId keeps the payer from paying.',
    expected: code('SUCCESS'),
    act: async (lab) => {
      const order = lab.order()
      const forged = await lab.place(more('paymentAmount')(order), {
        signed: { time: '2020-01-01T00:00:00Z' },
      })
      if (forged.status === 'S') throw new UnmetPrecondition('a forged message was placed')
      return (await lab.place(order)).code
    },
  },
]

const toTheEnd: Case = {
  name: 'idempotency/to-the-end',
  rule: 'The first order of the run is answered the same when all other cases are through.',
  source: wire('Idempotency'),
  breaks:
    'A repeat that comes late, after an outage perhaps, is a new order: the payer pays twice.',
  expected: code('SUCCESS'),
  last: true,
  act: async (lab) => {
    const { order, told } = lab.setting.first
    return agreed([told, ...(await lab.inTurn(order, 2))])
  },
}

export const idempotency: readonly Case[] = [
  ...repeats,
  ...changes,
  ...rest,
  ...nulls,
  ...finals,
  toTheEnd,
]
