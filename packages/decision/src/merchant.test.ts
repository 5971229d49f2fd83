import { expect, test } from 'vitest'
import { anOrderOf, factsWith, merchant, policyWith, samplePolicy } from '../test/sample.ts'
import { judgeMerchant } from './merchant.ts'

test.each([
  ['a good merchant', merchant, 'SUCCESS'],
  ['an unknown merchant', undefined, 'MERCHANT_NOT_REGISTERED'],
  ['a suspended merchant', { ...merchant, status: 'SUSPENDED' }, 'INVALID_MERCHANT_STATUS'],
  ['a closed merchant', { ...merchant, status: 'CLOSED' }, 'INVALID_MERCHANT_STATUS'],
  [
    'suspended and no KYB',
    { ...merchant, status: 'SUSPENDED', kybLevel: 0 },
    'INVALID_MERCHANT_STATUS',
  ],
  ['no KYB', { ...merchant, kybLevel: 0 }, 'MERCHANT_KYB_NOT_QUALIFIED'],
  ['just enough KYB', { ...merchant, kybLevel: 1 }, 'SUCCESS'],
] as const)('%s', (_name, record, code) => {
  expect(judgeMerchant(factsWith({ merchant: record && { ...record } }), samplePolicy)).toBe(code)
})

test.each([
  ['at the tier, the general level is enough', '5000000', 'CNY', 1, 'SUCCESS'],
  [
    'one unit above the tier, its level is needed',
    '5000001',
    'CNY',
    1,
    'MERCHANT_KYB_NOT_QUALIFIED',
  ],
  ['above the tier with its level', '5000001', 'CNY', 2, 'SUCCESS'],
  ['a tier is of one currency', '5000001', 'JPY', 1, 'SUCCESS'],
  [
    'amounts past any number are compared exactly',
    `5000000${'0'.repeat(40)}`,
    'CNY',
    1,
    'MERCHANT_KYB_NOT_QUALIFIED',
  ],
] as const)('%s', (_name, value, currency, kybLevel, code) => {
  const facts = factsWith({
    order: anOrderOf(value, currency),
    merchant: { ...merchant, kybLevel },
  })
  expect(judgeMerchant(facts, samplePolicy)).toBe(code)
})

test.each([
  ['100', 1, 'SUCCESS'],
  ['101', 1, 'MERCHANT_KYB_NOT_QUALIFIED'],
  ['101', 2, 'SUCCESS'],
  ['1001', 2, 'MERCHANT_KYB_NOT_QUALIFIED'],
  ['1001', 3, 'SUCCESS'],
] as const)(
  'of several tiers the highest that %s lies above is asked for: level %i',
  (value, kybLevel, code) => {
    const tiers = [
      { currency: 'CNY', above: '1000', levelMin: 3 },
      { currency: 'CNY', above: '100', levelMin: 2 },
    ]
    const facts = factsWith({ order: anOrderOf(value), merchant: { ...merchant, kybLevel } })
    expect(judgeMerchant(facts, policyWith({ kyb: { levelMin: 1, tiers } }))).toBe(code)
  },
)

test('a tier never lowers the general level', () => {
  const kyb = { levelMin: 2, tiers: [{ currency: 'CNY', above: '1', levelMin: 1 }] }
  expect(
    judgeMerchant(factsWith({ merchant: { ...merchant, kybLevel: 1 } }), policyWith({ kyb })),
  ).toBe('MERCHANT_KYB_NOT_QUALIFIED')
})
