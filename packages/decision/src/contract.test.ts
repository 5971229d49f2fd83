import { expect, test } from 'vitest'
import { anOrder, anOrderOf, entryCode, factsWith, merchant, orderCode } from '../test/sample.ts'
import { judgeContract } from './contract.ts'
import type { Contract } from './records.ts'

const psp = '1020000000000000001'
const good: Contract = {
  pspIds: ['*'],
  status: 'ACTIVE',
  from: '2020-01-01T00:00:00Z',
  until: null,
  codeTypes: ['ENTRY_CODE', 'ORDER_CODE'],
  currencies: ['CNY'],
}
const under = (...contracts: Contract[]) => factsWith({ merchant: { ...merchant, contracts } })

test.each<[string, Contract[], string]>([
  ['a contract for every wallet', [good], 'SUCCESS'],
  ['a contract that names the wallet', [{ ...good, pspIds: ['other', psp] }], 'SUCCESS'],
  ['no contract at all', [], 'INVALID_CONTRACT'],
  ['contracts with other wallets', [{ ...good, pspIds: ['other'] }], 'INVALID_CONTRACT'],
  ['a suspended contract', [{ ...good, status: 'SUSPENDED' }], 'INVALID_CONTRACT'],
  ['a closed contract', [{ ...good, status: 'CLOSED' }], 'INVALID_CONTRACT'],
  ['a second contract in force', [{ ...good, status: 'CLOSED' }, good], 'SUCCESS'],
  ['without this code type', [{ ...good, codeTypes: ['ORDER_CODE'] }], 'BUSINESS_NOT_SUPPORT'],
  ['without this currency', [{ ...good, currencies: ['JPY', 'USD'] }], 'CURRENCY_NOT_SUPPORT'],
  [
    'code type and currency only in different contracts',
    [
      { ...good, codeTypes: ['ENTRY_CODE'], currencies: ['JPY'] },
      { ...good, codeTypes: ['ORDER_CODE'], currencies: ['CNY'] },
    ],
    'CURRENCY_NOT_SUPPORT',
  ],
  [
    'a wallet shut out beside a contract for all others',
    [good, { ...good, pspIds: [psp], status: 'SUSPENDED' }],
    'INVALID_CONTRACT',
  ],
  [
    'other terms for one wallet beside a contract for all others',
    [good, { ...good, pspIds: [psp], currencies: ['JPY'] }],
    'CURRENCY_NOT_SUPPORT',
  ],
])('%s', (_name, contracts, code) => {
  expect(judgeContract(under(...contracts))).toBe(code)
})

test.each([
  ['a millisecond before it begins', -1, 'INVALID_CONTRACT'],
  ['the moment it begins', 0, 'SUCCESS'],
  ['a millisecond before it ends', 999, 'SUCCESS'],
  ['the moment it ends', 1000, 'INVALID_CONTRACT'],
] as const)('a contract in force for one second: %s', (_name, afterMs, code) => {
  const contract = { ...good, from: '2026-01-01T05:30:00+05:30', until: '2026-01-01T00:00:01Z' }
  const claimedAt = Date.parse('2026-01-01T00:00:00Z') + afterMs
  expect(judgeContract({ ...under(contract), claimedAt })).toBe(code)
})

test('a contract whose end is left out has none', () => {
  const { until: _, ...open } = good
  expect(judgeContract({ ...under(open), claimedAt: Date.parse('2999-01-01T00:00:00Z') })).toBe(
    'SUCCESS',
  )
})

test('the payment currency counts, not the settlement currency', () => {
  const facts = under({ ...good, currencies: ['JPY'] })
  const order = anOrder({
    paymentAmount: { value: '100', currency: 'JPY' },
    settlementAmount: { value: '5', currency: 'CNY' },
    settlementQuote: { quoteCurrencyPair: 'JPY/CNY', quotePrice: '0.05' },
  })
  expect(judgeContract({ ...facts, order })).toBe('SUCCESS')
})

test('an order code needs a contract with order codes', () => {
  const facts = under({ ...good, codeTypes: ['ENTRY_CODE'] })
  expect(judgeContract({ ...facts, code: entryCode })).toBe('SUCCESS')
  expect(judgeContract({ ...facts, code: orderCode })).toBe('BUSINESS_NOT_SUPPORT')
})

test('an unknown code has no type to be missing; the currency still counts', () => {
  const facts = { ...under({ ...good, codeTypes: ['ORDER_CODE'] }), code: undefined }
  expect(judgeContract(facts)).toBe('SUCCESS')
  expect(judgeContract({ ...facts, order: anOrderOf('100', 'KWD') })).toBe('CURRENCY_NOT_SUPPORT')
})
