import { expect, test } from 'vitest'
import { anOrder, entryCode, factsWith, merchant, orderCode } from '../test/sample.ts'
import { judgeCode } from './code.ts'
import type { Facts } from './facts.ts'
import type { CodeRecord } from './records.ts'

const inMerchant = (changes: Record<string, unknown>) =>
  anOrder({ merchant: { ...anOrder().merchant, ...changes } })

test.each<[string, CodeRecord | undefined, string]>([
  ['a good code', entryCode, 'SUCCESS'],
  ['an unknown code', undefined, 'INVALID_CODE'],
  ['a code of another merchant', { ...entryCode, merchantId: 'M2' }, 'INVALID_CODE'],
  ['a code of another store', { ...entryCode, storeId: 'S00000000002' }, 'INVALID_CODE'],
  ['a code of the merchant, not of a store', { ...entryCode, storeId: null }, 'SUCCESS'],
  ['a closed code', { ...entryCode, status: 'CLOSED' }, 'ORDER_IS_CLOSED'],
  [
    'another merchant and expired',
    { ...entryCode, merchantId: 'M2', expiresAt: '2020-01-01T00:00:00Z' },
    'INVALID_CODE',
  ],
  [
    'expired and closed',
    { ...entryCode, status: 'CLOSED', expiresAt: '2020-01-01T00:00:00Z' },
    'EXPIRED_CODE',
  ],
])('%s', (_name, code, answer) => {
  expect(judgeCode(factsWith({ code }))).toBe(answer)
})

test.each([
  ['a millisecond before', -1, 'SUCCESS'],
  ['that moment', 0, 'EXPIRED_CODE'],
  ['long after', 1e12, 'EXPIRED_CODE'],
] as const)('a code expires: %s', (_name, afterMs, answer) => {
  const code = { ...entryCode, expiresAt: '2026-01-01T08:00:00+08:00' }
  const claimedAt = Date.parse('2026-01-01T00:00:00Z') + afterMs
  expect(judgeCode(factsWith({ code, claimedAt }))).toBe(answer)
})

test.each<[string, Record<string, unknown>, string[] | undefined, string | null, string]>([
  ['its store, of the merchant', { store: { referenceStoreId: 'S1' } }, ['S1'], 'S1', 'SUCCESS'],
  [
    'a store the merchant does not have',
    { store: { referenceStoreId: 'S9' } },
    ['S1'],
    null,
    'INVALID_CODE',
  ],
  [
    'any store, where stores are not kept',
    { store: { referenceStoreId: 'S9' } },
    undefined,
    null,
    'SUCCESS',
  ],
  [
    'another store, where stores are not kept',
    { store: { referenceStoreId: 'S9' } },
    undefined,
    'S1',
    'INVALID_CODE',
  ],
  ["no store: it is at the code's", { store: undefined }, ['S1'], 'S1', 'SUCCESS'],
  ["no store, and the code's is gone", { store: undefined }, ['S2'], 'S1', 'INVALID_CODE'],
  ['no store, and a code without one', { store: undefined }, ['S1'], null, 'SUCCESS'],
  [
    'a merchant whose list of stores is empty',
    { store: { referenceStoreId: 'S1' } },
    [],
    null,
    'INVALID_CODE',
  ],
])('the order names %s', (_name, changes, stores, storeId, answer) => {
  const { stores: _, ...rest } = merchant
  const record = stores === undefined ? rest : { ...rest, stores }
  const facts = factsWith({
    order: inMerchant(changes),
    merchant: record,
    code: { ...entryCode, storeId },
  })
  expect(judgeCode(facts)).toBe(answer)
})

test.each<[string, Facts['codeHeldBy'], string]>([
  ['nobody', undefined, 'SUCCESS'],
  ['this order, judged again', anOrder(), 'SUCCESS'],
  ['another order', anOrder({ paymentId: 'another' }), 'ORDER_IS_CLOSED'],
  ["another acquirer's order", anOrder({ acquirerId: 'another' }), 'ORDER_IS_CLOSED'],
])('an order code taken by %s', (_name, codeHeldBy, answer) => {
  expect(judgeCode(factsWith({ code: orderCode, codeHeldBy }))).toBe(answer)
})

test('an entry code takes any number of orders', () => {
  expect(
    judgeCode(factsWith({ code: entryCode, codeHeldBy: anOrder({ paymentId: 'another' }) })),
  ).toBe('SUCCESS')
})

test.each<[string, string | undefined, string | null, string]>([
  ['the same', 'R-1', 'R-1', 'SUCCESS'],
  ['another one', 'R-2', 'R-1', 'INVALID_CODE'],
  ['none', undefined, 'R-1', 'SUCCESS'],
  ['one where the code has none', 'R-2', null, 'SUCCESS'],
])(
  'an order code made for one order of ours: the request names %s',
  (_name, asked, made, answer) => {
    const order = anOrder({ paymentRequestId: asked })
    expect(judgeCode(factsWith({ order, code: { ...orderCode, paymentRequestId: made } }))).toBe(
      answer,
    )
  },
)
