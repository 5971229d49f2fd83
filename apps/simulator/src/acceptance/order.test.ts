import { expect, test } from 'vitest'
import { patched } from './fixtures.ts'
import { amountIn, changed, set, without } from './order.ts'

test.each([
  ['merges objects', { a: { b: '1' } }, { a: { c: '2' } }, { a: { b: '1', c: '2' } }],
  ['replaces values', { a: '1' }, { a: '2' }, { a: '2' }],
  ['removes what is null', { a: { b: '1', c: '2' } }, { a: { b: null } }, { a: { c: '2' } }],
  ['replaces a value by an object', { a: '1' }, { a: { b: '2' } }, { a: { b: '2' } }],
  ['replaces lists', { a: ['1', '2'] }, { a: ['3'] }, { a: ['3'] }],
])('a fixture %s', (_what, sample, patch, expected) => {
  expect(patched(sample, patch)).toEqual(expected)
})

test('a change does not modify the fields it is given', () => {
  const fields = { a: { b: '1' } }
  expect(changed(fields, set('a.b', '2'), set('c.d', null), without('a.e'))).toEqual({
    a: { b: '2' },
    c: { d: null },
  })
  expect(fields).toEqual({ a: { b: '1' } })
})

test('one unit more than an amount is exact, however long it is', () => {
  const paymentAmount = { value: '99999999999999999999', currency: 'CNY' }
  expect(amountIn({ paymentAmount }, 'paymentAmount').more.value).toBe('100000000000000000000')
})

test('a sample without amounts is named in the error of a case that needs one', () => {
  expect(() => amountIn({ paymentAmount: '1' }, 'paymentAmount')).toThrow(
    "the sample's paymentAmount",
  )
})
