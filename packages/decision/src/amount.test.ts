import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  anOrder,
  anOrderOf,
  factsWith,
  orderCode,
  policyWith,
  samplePolicy,
} from '../test/sample.ts'
import { judgeAmount } from './amount.ts'
import { decimalsOf } from './currency.ts'

type Quoted = {
  quoteCurrencyPair?: string
  quotePrice?: string
  baseCurrency?: string
  quoteUnit?: string
}

/** What an order that pays and is settled like this comes to; money is written `1300 KRW`. */
function judged(paid: string, settled: string, settlementQuote: Quoted, with_ = samplePolicy) {
  const money = (text: string) => {
    const [value, currency] = text.split(' ')
    return { value, currency }
  }
  const order = anOrder({
    paymentAmount: money(paid),
    settlementAmount: money(settled),
    settlementQuote,
  })
  return judgeAmount(factsWith({ order }), with_)
}

test.each([
  ['one unit', '1', 'SUCCESS'],
  ['nothing', '0', 'PAYMENT_AMOUNT_INVALID'],
  ['forty digits', '9'.repeat(40), 'SUCCESS'],
] as const)('an amount of %s', (_name, value, code) => {
  expect(judgeAmount(factsWith({ order: anOrderOf(value) }), samplePolicy)).toBe(code)
})

test.each([
  ['the same', '100', '100', 'SUCCESS'],
  ['one unit less', '100', '99', 'PAYMENT_AMOUNT_INVALID'],
  ['one unit more', '100', '101', 'PAYMENT_AMOUNT_INVALID'],
  [
    'forty digits that differ in the last',
    `${'9'.repeat(39)}1`,
    `${'9'.repeat(39)}2`,
    'PAYMENT_AMOUNT_INVALID',
  ],
] as const)('in one currency, settled is %s', (_name, paid, settled, code) => {
  const order = anOrder({
    paymentAmount: { value: paid, currency: 'CNY' },
    settlementAmount: { value: settled, currency: 'CNY' },
    settlementQuote: { quoteCurrencyPair: 'CNY/CNY', quotePrice: '1' },
  })
  expect(judgeAmount(factsWith({ order }), policyWith({ settlementToleranceUnits: '5' }))).toBe(
    code,
  )
})

test.each([
  ['its amount', '100', 'CNY', 'SUCCESS'],
  ['another amount', '101', 'CNY', 'PAYMENT_AMOUNT_INVALID'],
  ['another currency', '100', 'JPY', 'PAYMENT_AMOUNT_INVALID'],
] as const)('an order code asks for %s', (_name, value, currency, code) => {
  expect(
    judgeAmount(factsWith({ order: anOrderOf(value, currency), code: orderCode }), samplePolicy),
  ).toBe(code)
})

// 1 USD is 1300 KRW: 5.00 USD is 6500 KRW. 1 KWD is 3.25 USD: 2.000 KWD is 6.50 USD. 1 USD is 150.5
// JPY.
test.each<[string, string, string, Quoted, string]>([
  [
    'from base to quote currency',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: 'USD/KRW', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'from quote to base currency',
    '6500 KRW',
    '500 USD',
    { quoteCurrencyPair: 'USD/KRW', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'from base to quote currency, the pair the other way',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: 'KRW/USD', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'from quote to base currency, the pair the other way',
    '6500 KRW',
    '500 USD',
    { quoteCurrencyPair: 'KRW/USD', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'in neither direction',
    '6500 KRW',
    '510 USD',
    { quoteCurrencyPair: 'KRW/USD', quotePrice: '1300' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'the pair the other way, and its price',
    '6500 KRW',
    '500 USD',
    { quoteCurrencyPair: 'KRW/USD', quotePrice: '0.00076923' },
    'SUCCESS',
  ],
  [
    'numeric codes',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: '840/410', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'a numeric code that begins with 0',
    '100 AUD',
    '65 USD',
    { quoteCurrencyPair: '036/840', quotePrice: '0.65' },
    'SUCCESS',
  ],
  [
    'small letters and spaces',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: 'usd / krw', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'nothing between the two',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: 'USDKRW', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'three decimals to two',
    '2000 KWD',
    '650 USD',
    { quoteCurrencyPair: 'KWD/USD', quotePrice: '3.25' },
    'SUCCESS',
  ],
  [
    'two decimals to three',
    '650 USD',
    '2000 KWD',
    { quoteCurrencyPair: 'KWD/USD', quotePrice: '3.25' },
    'SUCCESS',
  ],
  [
    'none to three',
    '1505 JPY',
    '3077 KWD',
    { quoteCurrencyPair: 'JPY/KWD', quotePrice: '0.00204444' },
    'SUCCESS',
  ],
  [
    'as if JPY had cents',
    '1000 USD',
    '150500 JPY',
    { quoteCurrencyPair: 'USD/JPY', quotePrice: '150.5' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'rounded down',
    '1 USD',
    '1 JPY',
    { quoteCurrencyPair: 'USD/JPY', quotePrice: '150.5' },
    'SUCCESS',
  ],
  [
    'rounded up',
    '1 USD',
    '2 JPY',
    { quoteCurrencyPair: 'USD/JPY', quotePrice: '150.5' },
    'SUCCESS',
  ],
  [
    'more than a unit off',
    '1 USD',
    '3 JPY',
    { quoteCurrencyPair: 'USD/JPY', quotePrice: '150.5' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'exactly a unit off',
    '1000 USD',
    '1506 JPY',
    { quoteCurrencyPair: 'USD/JPY', quotePrice: '150.5' },
    'SUCCESS',
  ],
  [
    'two units off',
    '1000 USD',
    '1507 JPY',
    { quoteCurrencyPair: 'USD/JPY', quotePrice: '150.5' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'settled as nothing',
    '1 IDR',
    '0 USD',
    { quoteCurrencyPair: 'USD/IDR', quotePrice: '16000' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'a price for a hundred',
    '10000 JPY',
    '6500 USD',
    { quoteCurrencyPair: 'JPY/USD', quotePrice: '0.65', quoteUnit: '100' },
    'SUCCESS',
  ],
  [
    'a price for a hundred, back',
    '6500 USD',
    '10000 JPY',
    { quoteCurrencyPair: 'JPY/USD', quotePrice: '0.65', quoteUnit: '100' },
    'SUCCESS',
  ],
  [
    'a unit with an exponent',
    '6500 USD',
    '10000 JPY',
    { quoteCurrencyPair: 'JPY/USD', quotePrice: '0.65', quoteUnit: '1.0E2' },
    'SUCCESS',
  ],
  [
    'a unit that is no number',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: 'USD/KRW', quotePrice: '1300', quoteUnit: 'KRW' },
    'SUCCESS',
  ],
  [
    'no pair but a base',
    '6500 KRW',
    '500 USD',
    { baseCurrency: 'USD', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'no pair but the other base',
    '6500 KRW',
    '500 USD',
    { baseCurrency: 'KRW', quotePrice: '1300' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'a base that turns the pair',
    '6500 KRW',
    '500 USD',
    { quoteCurrencyPair: 'KRW/USD', baseCurrency: '840', quotePrice: '1300' },
    'SUCCESS',
  ],
  [
    'a base that fits, and a price that does not',
    '6500 KRW',
    '500 USD',
    { quoteCurrencyPair: 'USD/KRW', baseCurrency: 'KRW', quotePrice: '1300' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'a base of neither',
    '6500 KRW',
    '500 USD',
    { baseCurrency: 'EUR', quotePrice: '1300' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  ['neither pair nor base', '6500 KRW', '500 USD', { quotePrice: '1300' }, 'SUCCESS'],
  ['neither, the other way', '500 USD', '6500 KRW', { quotePrice: '1300' }, 'SUCCESS'],
  ['neither, and no way', '500 USD', '6600 KRW', { quotePrice: '1300' }, 'PAYMENT_AMOUNT_INVALID'],
  [
    'a pair of others',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: 'USD/EUR', quotePrice: '1300' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  [
    'a pair of nothing',
    '500 USD',
    '6500 KRW',
    { quoteCurrencyPair: 'rate', quotePrice: '1300' },
    'PAYMENT_AMOUNT_INVALID',
  ],
  ['no price', '500 USD', '6500 KRW', { quoteCurrencyPair: 'USD/KRW' }, 'PAYMENT_AMOUNT_INVALID'],
  [
    'a currency that is none',
    '500 USD',
    '6500 XQQ',
    { quotePrice: '13' },
    'PAYMENT_AMOUNT_INVALID',
  ],
])('between currencies: %s', (_name, paid, settled, quote, code) => {
  expect(judged(paid, settled, quote)).toBe(code)
})

test.each([
  ['500 USD', '8000100 IDR', '16000', 'SUCCESS'],
  ['500 USD', '7999900 IDR', '16000', 'SUCCESS'],
  ['500 USD', '8000101 IDR', '16000', 'PAYMENT_AMOUNT_INVALID'],
  ['500 USD', '16002 TWD', '32', 'PAYMENT_AMOUNT_INVALID'],
  ['500 USD', '6501 KRW', '1300', 'SUCCESS'],
  ['500 USD', '6502 KRW', '1300', 'PAYMENT_AMOUNT_INVALID'],
])('each currency may have a tolerance of its own: %s as %s', (paid, settled, quotePrice, code) => {
  const tolerant = policyWith({ settlementToleranceUnits: { IDR: '100', TWD: '0' } })
  expect(judged(paid, settled, { baseCurrency: 'USD', quotePrice }, tolerant)).toBe(code)
})

test('the tolerance of `*` is for currencies that are not named', () => {
  const tolerant = policyWith({ settlementToleranceUnits: { IDR: '100', '*': '0' } })
  const quote = { baseCurrency: 'USD', quotePrice: '1300' }
  expect(judged('500 USD', '6500 KRW', quote, tolerant)).toBe('SUCCESS')
  expect(judged('500 USD', '6501 KRW', quote, tolerant)).toBe('PAYMENT_AMOUNT_INVALID')
})

test.each(['6.13E-5', '6.13e-05', '0.0000613', '613E-7'])(
  'a price of %s is exact, however it is written',
  (quotePrice) => {
    const quote = { baseCurrency: 'IDR', quotePrice }
    const exact = policyWith({ settlementToleranceUnits: '0' })
    expect(judged('10000000 IDR', '613 USD', quote, exact)).toBe('SUCCESS')
    expect(judged('10000000 IDR', '614 USD', quote, exact)).toBe('PAYMENT_AMOUNT_INVALID')
  },
)

test('two currencies need a quote', () => {
  const { settlementQuote: _, ...order } = anOrder({
    settlementAmount: { value: '100', currency: 'JPY' },
    settlementQuote: { quotePrice: '1' },
  })
  expect(judgeAmount(factsWith({ order }), samplePolicy)).toBe('PAYMENT_AMOUNT_INVALID')
})

const currencies = ['JPY', 'KRW', 'USD', 'CNY', 'EUR', 'KWD', 'BHD', 'CLF']
const units = fc.bigInt({ min: 1n, max: 10n ** 40n })
const rates = fc
  .record({
    digits: fc.bigInt({ min: 1n, max: 10n ** 12n }),
    decimals: fc.integer({ min: 0, max: 11 }),
  })
  .map(({ digits, decimals }) => {
    const text = digits.toString().padStart(decimals + 1, '0')
    const whole = text.slice(0, text.length - decimals)
    return { digits, decimals, price: decimals === 0 ? whole : `${whole}.${text.slice(-decimals)}` }
  })

const ten = (decimals: number) => 10n ** BigInt(decimals)

test('settled follows from paid and the rate, both ways, to the last digit', () => {
  const cases = fc.record({
    paidUnits: units,
    rate: rates,
    pair: fc.shuffledSubarray(currencies, { minLength: 2, maxLength: 2 }),
    pairIsTurned: fc.boolean(),
    multiplied: fc.boolean(),
    toleranceUnits: fc.bigInt({ min: 0n, max: 3n }),
    offUnits: fc.bigInt({ min: -5n, max: 5n }),
  })
  fc.assert(
    fc.property(
      cases,
      ({ paidUnits, rate, pair, pairIsTurned, multiplied, toleranceUnits, offUnits }) => {
        const [paid = '', settled = ''] = pair
        const scale = [ten(decimalsOf(settled) ?? 0), ten(decimalsOf(paid) ?? 0)] as const
        const factor = multiplied
          ? ([rate.digits, ten(rate.decimals)] as const)
          : ([ten(rate.decimals), rate.digits] as const)
        const [numerator, denominator] = [paidUnits * scale[0] * factor[0], scale[1] * factor[1]]
        const settledUnits = numerator / denominator + offUnits
        fc.pre(settledUnits > 0n)
        // The exact amount lies at or above the whole part, by less than a unit: settled below it
        // is that much further off.
        const beyondUnits = numerator % denominator === 0n ? 0n : 1n
        const within =
          offUnits > 0n ? offUnits <= toleranceUnits : beyondUnits - offUnits <= toleranceUnits
        const quote = {
          quoteCurrencyPair: pairIsTurned ? `${settled}/${paid}` : `${paid}/${settled}`,
          quotePrice: rate.price,
          baseCurrency: multiplied ? paid : settled,
        }
        const tolerant = { ...samplePolicy, settlementToleranceUnits: toleranceUnits }
        const [paidMoney, settledMoney] = [`${paidUnits} ${paid}`, `${settledUnits} ${settled}`]
        expect(judged(paidMoney, settledMoney, quote, tolerant)).toBe(
          within ? 'SUCCESS' : 'PAYMENT_AMOUNT_INVALID',
        )
        const { baseCurrency: _, ...eitherWay } = quote
        if (within) expect(judged(paidMoney, settledMoney, eitherWay, tolerant)).toBe('SUCCESS')
      },
    ),
    { numRuns: 500 },
  )
})
