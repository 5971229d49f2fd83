import { expect, test } from 'vitest'
import { entryCode, merchant, orderCode } from '../test/sample.ts'
import { CodeRecord, MerchantRecord } from './records.ts'

const [contract] = merchant.contracts

function faultsOf(schema: typeof MerchantRecord | typeof CodeRecord, value: unknown): string[] {
  const { error } = schema.safeParse(value)
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

test('records read back from their own output are the same', () => {
  expect(MerchantRecord.parse(JSON.parse(JSON.stringify(merchant)))).toEqual(merchant)
  expect(CodeRecord.parse(JSON.parse(JSON.stringify(entryCode)))).toEqual(entryCode)
  expect(CodeRecord.parse(JSON.parse(JSON.stringify(orderCode)))).toEqual(orderCode)
})

test('the least a merchant and a code are', () => {
  const least = { merchantId: 'M1', status: 'ACTIVE', kybLevel: 0, contracts: [] }
  expect(MerchantRecord.parse(least)).toEqual(least)
  const code = {
    codeValue: 'https://pay.example/1?a=b c',
    type: 'ENTRY_CODE',
    merchantId: 'M1',
    status: 'OPEN',
  }
  expect(CodeRecord.parse(code)).toEqual(code)
})

test('a code value of 512 characters is good, however many bytes they take', () => {
  expect(faultsOf(CodeRecord, { ...entryCode, codeValue: '🀄'.repeat(512) })).toEqual([])
  expect(faultsOf(CodeRecord, { ...entryCode, codeValue: '🀄'.repeat(513) })).toEqual([
    'codeValue: is longer than 512 characters',
  ])
})

test.each<[string, Record<string, unknown>, RegExp]>([
  ['a key that is none', { kybLevels: 3 }, /^: Unrecognized key: "kybLevels"/],
  ['a status that is none', { status: 'OPEN' }, /^status: /],
  ['a level that is no whole number', { kybLevel: 1.5 }, /^kybLevel: /],
  [
    'an id that is too long',
    { merchantId: 'M'.repeat(33) },
    /^merchantId: is longer than 32 characters/,
  ],
  [
    'a contract with nobody',
    { contracts: [{ ...contract, pspIds: [] }] },
    /^contracts\.0\.pspIds: /,
  ],
  [
    'a contract with a date for a time',
    { contracts: [{ ...contract, from: '2020-01-01' }] },
    /^contracts\.0\.from: must be a time such as/,
  ],
  [
    'a contract without an offset',
    { contracts: [{ ...contract, from: '2020-01-01T00:00:00' }] },
    /^contracts\.0\.from: must be a time such as/,
  ],
  [
    'a day that never was',
    { contracts: [{ ...contract, from: '2023-02-29T00:00:00Z' }] },
    /^contracts\.0\.from: must be a time such as/,
  ],
  [
    'a code type that is none',
    { contracts: [{ ...contract, codeTypes: ['QR'] }] },
    /^contracts\.0\.codeTypes\.0: /,
  ],
  [
    'a limit past 2^63-1',
    { limits: { perPayment: [{ currency: 'CNY', amountMax: '9223372036854775808' }] } },
    /^limits\.perPayment\.0\.amountMax: is more than/,
  ],
  [
    'a time zone of its own',
    { limits: { timeZone: 'UTC' } },
    /^limits: Unrecognized key: "timeZone"/,
  ],
])('a merchant with %s is refused', (_name, changes, fault) => {
  expect(faultsOf(MerchantRecord, { ...merchant, ...changes })).toEqual([
    expect.stringMatching(fault),
  ])
})

test.each<[string, Record<string, unknown>, RegExp]>([
  ['a key that is none', { expiry: null }, /^: Unrecognized key: "expiry"/],
  ['a type that is none', { type: 'QR' }, /^type: /],
  ['no amount', { amount: undefined }, /^amount: /],
  ['an amount of cents', { amount: { value: '1.00', currency: 'CNY' } }, /^amount\.value: /],
  [
    'more than an amount',
    { amount: { value: '1', currency: 'CNY', unit: 'fen' } },
    /^amount: Unrecognized key: "unit"/,
  ],
  ['no time for an expiry', { expiresAt: 'soon' }, /^expiresAt: must be a time such as/],
])('an order code with %s is refused', (_name, changes, fault) => {
  expect(faultsOf(CodeRecord, { ...orderCode, ...changes })).toEqual([expect.stringMatching(fault)])
})

test('an entry code has no amount of its own', () => {
  expect(faultsOf(CodeRecord, { ...entryCode, amount: orderCode.amount })).toEqual([
    expect.stringMatching(/Unrecognized key: "amount"/),
  ])
})
