import { type Case, code, page, type Source, Unmet, wire } from '../case.ts'
import type { Lab } from '../lab.ts'
import { amountIn, type Change, changed, type Fields, set, without } from '../order.ts'
import { agreed, words } from '../told.ts'

const paidTwice = 'The payer pays twice.'
const cannotLearn = 'The repeat is refused, and the payer cannot learn whether he paid.'
const key = page('paymentId')
const ours = wire('Idempotency', 'ours')

type Told = { rule: string; breaks: string; source?: Source }

/** Places an order, does something with it, and looks whether all of it got one answer. */
const oneAnswer = (
  name: string,
  { rule, breaks, source = key }: Told,
  act: (lab: Lab, order: Fields) => Promise<Awaited<ReturnType<Lab['place']>>[]>,
  ...changes: Change[]
): Case => ({
  name: `idempotency/${name}`,
  rule,
  source,
  breaks,
  expected: code('SUCCESS'),
  act: async (lab) => {
    const order = lab.order(...changes)
    return agreed([await lab.placed(order), ...(await act(lab, order))])
  },
})

const COPIES = 10

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

/** What must be the same in a repeat (placeOrder.txt, paymentId). */
const more = (name: 'paymentAmount' | 'settlementAmount') => (fields: Fields) => ({
  ...fields,
  [name]: amountIn(fields, name).more,
})
const compared: readonly (readonly [string, string, Change])[] = [
  ['amount', 'paymentAmount', more('paymentAmount')],
  ['settlement', 'settlementAmount', more('settlementAmount')],
  [
    'both-amounts',
    'paymentAmount and settlementAmount',
    (fields) => more('settlementAmount')(more('paymentAmount')(fields)),
  ],
  [
    'currency',
    'the currency of both amounts',
    (fields) =>
      changed(
        fields,
        set('paymentAmount.currency', 'XTS'),
        set('settlementAmount.currency', 'XTS'),
      ),
  ],
  ['request-id', 'paymentRequestId', set('paymentRequestId', 'ANOTHER')],
]

const inconsistent = (name: string, rule: string, change: Change): Case => ({
  name: `idempotency/changed-${name}`,
  rule,
  source: key,
  breaks: 'The wallet shows the payer one amount, and the books of the merchant show another.',
  expected: code('REPEAT_REQ_INCONSISTENT'),
  act: async (lab) => {
    const order = lab.order()
    await lab.placed(order)
    return (await lab.place(change(order))).code
  },
})

const changes: Case[] = [
  ...compared.map(([name, what, change]) =>
    inconsistent(name, `A repeat in which ${what} differs is refused.`, change),
  ),
  {
    name: 'idempotency/changed-given-request-id',
    rule: 'A repeat with another paymentRequestId than the order named is refused.',
    source: key,
    breaks: 'One payment has two names, and a refund does not find it.',
    expected: code('REPEAT_REQ_INCONSISTENT'),
    needs: 'paymentRequestId',
    act: async (lab) => {
      const order = lab.order()
      await lab.place(order)
      return (await lab.place(set('paymentRequestId', 'ANOTHER')(order))).code
    },
  },
  oneAnswer(
    'changed-and-back',
    {
      rule: 'A refused repeat leaves the order as it was.',
      breaks: 'A faulty repeat takes away what the payer had paid.',
    },
    async (lab, order) => {
      await lab.place(more('paymentAmount')(order))
      return [await lab.place(order)]
    },
  ),
  {
    name: 'idempotency/two-amounts-at-once',
    rule: 'Of two amounts sent for one paymentId at the same moment one is placed, and the other is always refused.',
    source: key,
    breaks: 'The payer pays both.',
    expected: {
      words: 'one placed, the other refused',
      isMet: (got) => got === 'one placed, the other refused',
    },
    act: async (lab) => {
      const order = lab.order()
      const { value, currency } = amountIn(order, 'paymentAmount')
      const other = `${BigInt(value) + 1n}`
      const otherOrder = {
        ...order,
        paymentAmount: { value: other, currency },
        settlementAmount: { value: other, currency },
      }
      const told = await lab.atOnce(
        Array.from({ length: COPIES }, (_, at) => (at % 2 === 0 ? order : otherOrder)),
      )
      const [even, odd] = [0, 1].map((parity) => agreed(told.filter((_, at) => at % 2 === parity)))
      const good = [even, odd].sort().join() === 'REPEAT_REQ_INCONSISTENT,SUCCESS'
      return good ? 'one placed, the other refused' : `${even} for one, ${odd} for the other`
    },
  },
]

/** What may differ in a repeat: nothing else is compared. */
const ignored: readonly (readonly [string, string, Change])[] = [
  ['merchant', 'the merchant', set('merchant.referenceMerchantId', 'M-ANOTHER')],
  ['merchant-name', 'the name of the merchant', set('merchant.merchantName', 'Another')],
  ['store', 'the store', set('merchant.store.referenceStoreId', 'S-ANOTHER')],
  ['code', 'the code', set('codeValue', 'another')],
  ['customer', 'the customer', set('customerId', 'another')],
  ['env', 'the device', set('env', { osType: 'IOS' })],
  ['pass-through', 'passThroughInfo', set('passThroughInfo', '{"a":"b"}')],
  ['unknown-field', 'a field that nobody knows', set('tomorrow', '1')],
]

const rest: Case[] = ignored.map(([name, what, change]) =>
  oneAnswer(
    `other-${name}`,
    { rule: `A repeat in which ${what} differs is the same order.`, breaks: cannotLearn },
    async (lab, order) => [await lab.place(change(order))],
  ),
)

const nulls: Case[] = [
  oneAnswer(
    'null-after-absent',
    {
      rule: 'A paymentRequestId that was absent may be null in the repeat.',
      breaks: cannotLearn,
      source: wire('Idempotency'),
    },
    async (lab, order) => [await lab.place(set('paymentRequestId', null)(order))],
    without('paymentRequestId'),
  ),
  oneAnswer(
    'absent-after-null',
    {
      rule: 'A paymentRequestId that was null may be absent in the repeat.',
      breaks: cannotLearn,
      source: wire('Idempotency'),
    },
    async (lab, order) => [await lab.place(without('paymentRequestId')(order))],
    set('paymentRequestId', null),
  ),
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
      if (first.status === 'S') throw new Unmet('an order for a code that nobody made was placed')
      return agreed([
        first,
        await lab.place(set('codeValue', 'https://nobody.example/made/this')(good)),
        await lab.place(good),
      ])
    },
  },
  {
    name: 'idempotency/refused-at-the-door',
    rule: 'A message that is refused for its form leaves no trace: put right, it may use the same paymentId.',
    source: ours,
    breaks: 'After a fault in one message the payer can never pay this order.',
    expected: code('SUCCESS'),
    act: async (lab) => {
      const order = lab.order()
      const refused = await lab.place(set('codeValue', '')(order))
      if (refused.code !== 'PARAM_ILLEGAL') throw new Unmet(`"" was answered ${refused.code}`)
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
      if (forged.status === 'S') throw new Unmet('a forged message was placed')
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
