import { type AcceptanceCase, code, protocolDoc } from '../case.ts'
import { agreed } from '../loose-answer.ts'
import { amountIn, type Change, changed, type Fields, set, without } from '../order.ts'
import { COPIES, cannotLearn, oneAnswer, paymentIdRule } from './one-answer.ts'

/** Raises an amount by one smallest unit. */
export const more = (name: 'paymentAmount' | 'settlementAmount') => (fields: Fields) => ({
  ...fields,
  [name]: amountIn(fields, name).more,
})
/** The terms that a repeat must not change (placeOrder.txt, paymentId). */
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

const inconsistent = (name: string, rule: string, change: Change): AcceptanceCase => ({
  name: `idempotency/changed-${name}`,
  rule,
  source: paymentIdRule,
  breaks: 'The wallet shows the payer one amount, and the merchant is credited another.',
  expected: code('REPEAT_REQ_INCONSISTENT'),
  act: async (context) => {
    const order = context.order()
    await context.placed(order)
    return (await context.place(change(order))).code
  },
})

export const changes: AcceptanceCase[] = [
  ...compared.map(([name, what, change]) =>
    inconsistent(name, `A repeat in which ${what} differs is refused.`, change),
  ),
  {
    name: 'idempotency/changed-given-request-id',
    rule: 'A repeat with another paymentRequestId than that of the order is refused.',
    source: paymentIdRule,
    breaks: 'One payment has two ids, and a refund does not find it.',
    expected: code('REPEAT_REQ_INCONSISTENT'),
    needs: 'paymentRequestId',
    act: async (context) => {
      const order = context.order()
      await context.place(order)
      return (await context.place(set('paymentRequestId', 'ANOTHER')(order))).code
    },
  },
  oneAnswer(
    'changed-and-back',
    {
      rule: 'A refused repeat does not change the order.',
      breaks: 'A faulty repeat undoes what the payer had paid.',
    },
    async (context, order) => {
      await context.place(more('paymentAmount')(order))
      return [await context.place(order)]
    },
  ),
  {
    name: 'idempotency/two-amounts-at-once',
    rule: 'Of two amounts sent for one paymentId at once, one is placed and the other refused.',
    source: paymentIdRule,
    breaks: 'The payer pays both.',
    expected: {
      text: 'one placed, the other refused',
      isMet: (got) => got === 'one placed, the other refused',
    },
    act: async (context) => {
      const order = context.order()
      const { value, currency } = amountIn(order, 'paymentAmount')
      const other = `${BigInt(value) + 1n}`
      const otherOrder = {
        ...order,
        paymentAmount: { value: other, currency },
        settlementAmount: { value: other, currency },
      }
      const answers = await context.atOnce(
        Array.from({ length: COPIES }, (_, at) => (at % 2 === 0 ? order : otherOrder)),
      )
      const [even, odd] = [0, 1].map((parity) =>
        agreed(answers.filter((_, at) => at % 2 === parity)),
      )
      const good = [even, odd].sort().join() === 'REPEAT_REQ_INCONSISTENT,SUCCESS'
      return good ? 'one placed, the other refused' : `${even} for one, ${odd} for the other`
    },
  },
]

/** Some of the fields that may differ in a repeat. */
const ignored: readonly (readonly [string, string, Change])[] = [
  ['merchant', 'the merchant', set('merchant.referenceMerchantId', 'M-ANOTHER')],
  ['merchant-name', 'the name of the merchant', set('merchant.merchantName', 'Another')],
  ['store', 'the store', set('merchant.store.referenceStoreId', 'S-ANOTHER')],
  ['code', 'codeValue', set('codeValue', 'another')],
  ['customer', 'customerId', set('customerId', 'another')],
  ['env', 'env', set('env', { osType: 'IOS' })],
  ['pass-through', 'passThroughInfo', set('passThroughInfo', '{"a":"b"}')],
  ['unknown-field', 'an unknown field', set('tomorrow', '1')],
]

export const rest: AcceptanceCase[] = ignored.map(([name, what, change]) =>
  oneAnswer(
    `other-${name}`,
    { rule: `A repeat in which ${what} differs is the same order.`, breaks: cannotLearn },
    async (context, order) => [await context.place(change(order))],
  ),
)

export const nulls: AcceptanceCase[] = [
  oneAnswer(
    'null-after-absent',
    {
      rule: 'An absent paymentRequestId may be null in the repeat.',
      breaks: cannotLearn,
      source: protocolDoc('Idempotency'),
    },
    async (context, order) => [await context.place(set('paymentRequestId', null)(order))],
    without('paymentRequestId'),
  ),
  oneAnswer(
    'absent-after-null',
    {
      rule: 'A null paymentRequestId may be absent in the repeat.',
      breaks: cannotLearn,
      source: protocolDoc('Idempotency'),
    },
    async (context, order) => [await context.place(without('paymentRequestId')(order))],
    set('paymentRequestId', null),
  ),
]
