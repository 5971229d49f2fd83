import { expect, test } from 'vitest'
import type { z } from 'zod'
import {
  anOrder,
  anOrderOf,
  factsWith,
  merchant,
  policyWith,
  samplePolicy,
  samplePolicyFile,
} from '../test/sample.ts'
import { judge } from './judge.ts'
import { judgePerPayment, limitUses } from './limit.ts'
import { LIMIT_AMOUNT_MAX, Limits } from './limits.ts'

const limitedTo = (limits: z.input<typeof Limits>) => ({
  ...merchant,
  limits: Limits.parse(limits),
})
const zone = { timeZone: 'Asia/Shanghai' }

test.each([
  ['the limit itself', '20000000', 'SUCCESS'],
  ['a unit more', '20000001', 'PAYMENT_AMOUNT_EXCEED_LIMIT'],
  ['forty digits', '1'.repeat(40), 'PAYMENT_AMOUNT_EXCEED_LIMIT'],
] as const)('a payment of %s', (_name, value, code) => {
  const limits = { ...zone, perPayment: samplePolicyFile.limits.perPayment }
  expect(judgePerPayment(factsWith({ order: anOrderOf(value) }), policyWith({ limits }))).toBe(code)
})

test('a currency without limits has none', () => {
  const facts = factsWith({ order: anOrderOf('9'.repeat(60), 'USD') })
  expect(judgePerPayment(facts, samplePolicy)).toBe('SUCCESS')
  expect(limitUses(facts, samplePolicy)).toEqual([])
})

test('an amount above a day’s limit is refused before any limit is used', () => {
  const limits = { ...zone, customerDay: [{ currency: 'CNY', amountMax: '5000' }] }
  expect(judgePerPayment(factsWith({ order: anOrderOf('5000') }), policyWith({ limits }))).toBe(
    'SUCCESS',
  )
  expect(judgePerPayment(factsWith({ order: anOrderOf('5001') }), policyWith({ limits }))).toBe(
    'PAYMENT_AMOUNT_EXCEED_LIMIT',
  )
})

test('an order takes from the day of its merchant and of its customer', () => {
  expect(limitUses(factsWith(), samplePolicy)).toEqual([
    {
      subject: 'merchant',
      id: 'M00000000001',
      currency: 'CNY',
      day: '20260301',
      amount: 100n,
      amountMax: 500_000_000n,
      countMax: 100_000,
    },
    {
      subject: 'customer',
      id: '210282121122',
      currency: 'CNY',
      day: '20260301',
      amount: 100n,
      amountMax: 5_000_000n,
      countMax: 50,
    },
  ])
})

test('an order without a customer takes from no customer', () => {
  const { customerId: _, ...order } = anOrder()
  expect(limitUses(factsWith({ order }), samplePolicy).map(({ subject }) => subject)).toEqual([
    'merchant',
  ])
})

test('the day is that of the claim, in the zone of the limits', () => {
  const claimedAt = Date.parse('2026-03-01T16:30:00Z')
  const dayIn = (timeZone: string) => {
    const limits = { timeZone, merchantDay: [{ currency: 'CNY', countMax: 1 }] }
    return limitUses(factsWith({ claimedAt }), policyWith({ limits })).map(({ day }) => day)
  }
  expect(dayIn('Asia/Shanghai')).toEqual(['20260302'])
  expect(dayIn('America/New_York')).toEqual(['20260301'])
})

const general = { ...zone, merchantDay: [{ currency: 'CNY', amountMax: '1000', countMax: 10 }] }
const amountOnly = { ...zone, merchantDay: [{ currency: 'CNY', amountMax: '1000' }] }
const other = { ...zone, merchantDay: [{ currency: 'USD', amountMax: '1000' }] }
const own = (limit: { amountMax?: string; countMax?: number }) =>
  limitedTo({ merchantDay: [{ currency: 'CNY', ...limit }] })

test.each([
  ['a merchant with none of its own', merchant, general, { amountMax: 1000n, countMax: 10 }],
  [
    'its own higher ones',
    own({ amountMax: '2000', countMax: 20 }),
    general,
    { amountMax: 2000n, countMax: 20 },
  ],
  [
    'its own lower ones',
    own({ amountMax: '1', countMax: 0 }),
    general,
    { amountMax: 1n, countMax: 0 },
  ],
  [
    'its own amount, the general count',
    own({ amountMax: '2000' }),
    general,
    { amountMax: 2000n, countMax: 10 },
  ],
  [
    'its own count, the general amount',
    own({ countMax: 20 }),
    general,
    { amountMax: 1000n, countMax: 20 },
  ],
  [
    'its own count, a general amount only',
    own({ countMax: 20 }),
    amountOnly,
    { amountMax: 1000n, countMax: 20 },
  ],
  [
    'its own where there is no general one',
    own({ countMax: 20 }),
    other,
    { amountMax: undefined, countMax: 20 },
  ],
])('%s', (_name, record, limits, expected) => {
  expect(limitUses(factsWith({ merchant: record }), policyWith({ limits }))).toMatchObject([
    expected,
  ])
})

test('a merchant has its own limits of every kind', () => {
  const record = limitedTo({
    perPayment: [{ currency: 'CNY', amountMax: '300' }],
    customerDay: [{ currency: 'CNY', amountMax: '700', countMax: 7 }],
  })
  const limits = { ...zone, perPayment: [{ currency: 'CNY', amountMax: '200' }] }
  const judged = (value: string) =>
    judgePerPayment(
      factsWith({ order: anOrderOf(value), merchant: record }),
      policyWith({ limits }),
    )
  expect([judged('300'), judged('301')]).toEqual(['SUCCESS', 'PAYMENT_AMOUNT_EXCEED_LIMIT'])
  expect(limitUses(factsWith({ merchant: record }), policyWith({ limits }))).toMatchObject([
    { subject: 'customer', amountMax: 700n, countMax: 7 },
  ])
})

test('amounts keep every digit on their way to the counters', () => {
  const limits = {
    ...zone,
    merchantDay: [{ currency: 'CNY', amountMax: String(LIMIT_AMOUNT_MAX) }],
  }
  const facts = factsWith({ order: anOrderOf(LIMIT_AMOUNT_MAX) })
  expect(limitUses(facts, policyWith({ limits }))).toMatchObject([
    { amount: LIMIT_AMOUNT_MAX, amountMax: LIMIT_AMOUNT_MAX },
  ])
  expect(judgePerPayment(facts, policyWith({ limits }))).toBe('SUCCESS')
  const more = factsWith({ order: anOrderOf(LIMIT_AMOUNT_MAX + 1n) })
  expect(judgePerPayment(more, policyWith({ limits }))).toBe('PAYMENT_AMOUNT_EXCEED_LIMIT')
})

test('an amount as long as a body costs about as much as a short one', () => {
  const costMs = (value: string) => {
    const facts = factsWith({ order: anOrderOf(value) })
    const rounds = Array.from({ length: 20 }, () => {
      const startedAt = performance.now()
      expect(judge(facts, samplePolicy)).toBe('PAYMENT_AMOUNT_EXCEED_LIMIT')
      return performance.now() - startedAt
    })
    return Math.min(...rounds)
  }
  const short = costMs('9'.repeat(15))
  // Read as a number even once, it would cost some hundred times as much.
  expect(costMs('9'.repeat(30_000))).toBeLessThan(short * 20)
})
