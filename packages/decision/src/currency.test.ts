import { expect, test } from 'vitest'
import { currencyNamed, decimalsOf } from './currency.ts'

test.each([
  ['CNY', 2],
  ['USD', 2],
  ['JPY', 0],
  ['KRW', 0],
  ['KWD', 3],
  ['BHD', 3],
  ['CLF', 4],
  ['XCG', 2],
  ['XQQ', undefined],
  ['constructor', undefined],
] as const)('the smallest unit of %s stands at decimal %s', (currency, decimals) => {
  expect(decimalsOf(currency)).toBe(decimals)
})

test.each([
  ['JPY', 'JPY'],
  ['jpy', 'JPY'],
  ['392', 'JPY'],
  ['036', 'AUD'],
  ['36', 'AUD'],
  ['532', 'XCG'],
  ['000', undefined],
  ['XQQ', undefined],
  ['', undefined],
] as const)('%s names %s', (text, currency) => {
  expect(currencyNamed(text)).toBe(currency)
})
