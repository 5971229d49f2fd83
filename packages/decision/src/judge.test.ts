import type { FinalCode } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import {
  anOrder,
  type entryCode,
  factsWith,
  merchant,
  noneRecent,
  orderCode,
  samplePolicy,
} from '../test/sample.ts'
import type { Facts } from './facts.ts'
import { judge, ladder } from './judge.ts'
import { Limits } from './limits.ts'
import { stepNames } from './policy.ts'

type Cause = { code: FinalCode; spoil: (facts: Facts) => Facts }

const ofMerchant = (facts: Facts, changes: Partial<typeof merchant>): Facts => ({
  ...facts,
  merchant: facts.merchant && { ...facts.merchant, ...changes },
})
const ofContract = (
  facts: Facts,
  changes: Partial<(typeof merchant)['contracts'][number]>,
): Facts =>
  ofMerchant(facts, {
    contracts: (facts.merchant?.contracts ?? []).map((contract) => ({ ...contract, ...changes })),
  })
const ofCode = (
  facts: Facts,
  changes: Partial<Pick<typeof entryCode, 'merchantId' | 'status' | 'expiresAt'>>,
): Facts => ({
  ...facts,
  code: facts.code && { ...facts.code, ...changes },
})

/**
 * One way to provoke each code of the worker's ladder, in order of precedence; each leaves the
 * others' alone.
 */
const causes: readonly Cause[] = [
  { code: 'MERCHANT_NOT_REGISTERED', spoil: (facts) => ({ ...facts, merchant: undefined }) },
  { code: 'INVALID_MERCHANT_STATUS', spoil: (facts) => ofMerchant(facts, { status: 'SUSPENDED' }) },
  { code: 'MERCHANT_KYB_NOT_QUALIFIED', spoil: (facts) => ofMerchant(facts, { kybLevel: 0 }) },
  { code: 'INVALID_CONTRACT', spoil: (facts) => ofContract(facts, { status: 'CLOSED' }) },
  {
    code: 'BUSINESS_NOT_SUPPORT',
    spoil: (facts) => ofContract(facts, { codeTypes: ['ENTRY_CODE'] }),
  },
  { code: 'CURRENCY_NOT_SUPPORT', spoil: (facts) => ofContract(facts, { currencies: ['USD'] }) },
  { code: 'INVALID_CODE', spoil: (facts) => ofCode(facts, { merchantId: 'M2' }) },
  { code: 'EXPIRED_CODE', spoil: (facts) => ofCode(facts, { expiresAt: '2020-01-01T00:00:00Z' }) },
  {
    code: 'ORDER_IS_CLOSED',
    spoil: (facts) => ({ ...facts, codeHeldBy: { ...facts.order, paymentId: 'another' } }),
  },
  {
    code: 'PAYMENT_AMOUNT_INVALID',
    spoil: (facts) => ({
      ...facts,
      order: {
        ...facts.order,
        settlementAmount: { ...facts.order.settlementAmount, value: '999' },
      },
    }),
  },
  {
    code: 'RISK_REJECT',
    spoil: (facts) => ({ ...facts, recent: { ...noneRecent, customerOrders10m: 20 } }),
  },
  {
    code: 'PAYMENT_AMOUNT_EXCEED_LIMIT',
    spoil: (facts) =>
      ofMerchant(facts, {
        limits: Limits.parse({ perPayment: [{ currency: 'CNY', amountMax: '99' }] }),
      }),
  },
]

const good = factsWith({ code: orderCode })

test('the request of placeOrder.txt passes with the sample policy and directory', () => {
  expect(judge(good, samplePolicy)).toBe('SUCCESS')
  expect(judge(factsWith(), samplePolicy)).toBe('SUCCESS')
})

test.each(causes.map((cause) => [cause.code, cause] as const))(
  '%s has a cause of its own',
  (code, { spoil }) => {
    expect(judge(spoil(good), samplePolicy)).toBe(code)
  },
)

const pairs = causes.flatMap((earlier, index) =>
  causes.slice(index + 1).map((later) => [earlier.code, later.code, earlier, later] as const),
)

test.each(pairs)('%s stands before %s', (code, _later, earlier, later) => {
  expect(judge(earlier.spoil(later.spoil(good)), samplePolicy)).toBe(code)
  expect(judge(later.spoil(earlier.spoil(good)), samplePolicy)).toBe(code)
})

test('all causes but the first so many: the next one is the answer', () => {
  for (const [index, { code }] of causes.entries()) {
    const facts = causes.slice(index).reduceRight((spoilt, { spoil }) => spoil(spoilt), good)
    expect(judge(facts, samplePolicy)).toBe(code)
  }
})

test('the steps of the ladder are those that checks can name, in their order', () => {
  expect(ladder.map(({ name }) => name)).toEqual([...stepNames])
})

test('judging step by step, as between checks, comes to the same', () => {
  for (const { code, spoil } of causes) {
    const codes = ladder.map((stage) => stage.judge(spoil(good), samplePolicy))
    expect(codes.find((found) => found !== 'SUCCESS')).toBe(code)
  }
})

test('an order without any optional field is judged like any other', () => {
  const { customerId: _, ...rest } = anOrder()
  const order = { ...rest, env: {}, merchant: { referenceMerchantId: merchant.merchantId } }
  expect(judge(factsWith({ order }), samplePolicy)).toBe('SUCCESS')
})
