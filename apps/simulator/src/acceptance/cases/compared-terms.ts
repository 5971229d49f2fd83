import { type Case, code, wire } from '../case.ts'
import { agreed } from '../loose-answer.ts'
import { amountIn, type Change, changed, type Fields, set, without } from '../order.ts'
import { COPIES, cannotLearn, key, oneAnswer } from './one-answer.ts'

/** What must be the same in a repeat (placeOrder.txt, paymentId). */
export const more = (name: 'paymentAmount' | 'settlementAmount') => (fields: Fields) => ({
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

export const changes: Case[] = [
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

export const rest: Case[] = ignored.map(([name, what, change]) =>
  oneAnswer(
    `other-${name}`,
    { rule: `A repeat in which ${what} differs is the same order.`, breaks: cannotLearn },
    async (lab, order) => [await lab.place(change(order))],
  ),
)

export const nulls: Case[] = [
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
