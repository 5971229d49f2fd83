import {
  type AcceptanceCase,
  anyBut,
  code,
  type Expectation,
  placeOrderDoc,
  protocolDoc,
} from '../case.ts'
import { agreed } from '../loose-answer.ts'
import {
  amountIn,
  amounts as bothAmounts,
  type Change,
  type Fields,
  set,
  without,
} from '../order.ts'
import { UnmetPrecondition } from '../precondition.ts'

const charged = 'The payer is charged another amount than the wallet showed.'
const illegal = code('PARAM_ILLEGAL')

/** Sets the value of both amounts, in the sample's currency. */
const valued =
  (value: unknown): Change =>
  (fields: Fields) =>
    set('settlementAmount.value', value)(set('paymentAmount.value', value)(fields))

/** Sets the currency of both amounts. */
const inCurrency =
  (currency: unknown): Change =>
  (fields: Fields) =>
    set('settlementAmount.currency', currency)(set('paymentAmount.currency', currency)(fields))

const one = (
  name: string,
  rule: string,
  breaks: string,
  expected: Expectation,
  ...changes: Change[]
): AcceptanceCase => ({
  name: `amounts/${name}`,
  rule,
  source: protocolDoc('Body rules, Amount'),
  breaks,
  expected,
  act: async (context) => (await context.place(context.order(...changes))).code,
})

/** Forms of a number that an amount must not have. */
const wrongValues: readonly (readonly [name: string, what: string, value: unknown])[] = [
  ['number', 'a JSON number', 100],
  ['empty', '""', ''],
  ['null', 'null', null],
  ['point', 'written with a decimal point', '100.00'],
  ['exponent', 'written with an exponent', '1e2'],
  ['leading-zero', 'written with leading zeros', '0100'],
  ['plus', 'written with a plus sign', '+100'],
  ['minus', 'negative', '-100'],
  ['space', 'written with a space', ' 100'],
  ['separator', 'written with separators', '1,000'],
  ['hexadecimal', 'hexadecimal', '0x64'],
  ['other-digits', 'written in digits other than 0 to 9', '１００'],
  ['letters', 'not a number', 'abc'],
]

const values: AcceptanceCase[] = [
  ...wrongValues.map(([name, what, value]) =>
    one(name, `A value that is ${what} is refused.`, charged, illegal, valued(value)),
  ),
  one(
    'value-missing',
    'An amount without a value is refused.',
    charged,
    illegal,
    without('paymentAmount.value'),
  ),
  one(
    'zero',
    'An amount of 0 is well-formed, but cannot be paid.',
    'An order is placed that nobody can pay.',
    code('PAYMENT_AMOUNT_INVALID'),
    valued('0'),
  ),
  one(
    'many-digits',
    'A value may have any number of digits: it is an integer of smallest units, not a float.',
    'Payers cannot make large payments, or payments in a currency with small units.',
    anyBut('PARAM_ILLEGAL'),
    valued(`1${'0'.repeat(39)}`),
  ),
  {
    name: 'amounts/every-digit',
    rule: 'Every digit of an amount counts: amounts that differ in the 30th digit are different.',
    source: protocolDoc('Body rules, Amount'),
    breaks: charged,
    expected: code('REPEAT_REQ_INCONSISTENT'),
    act: async (context) => {
      const order = context.order(valued(`1${'0'.repeat(28)}1`))
      const first = await context.place(order)
      if (first.code === 'PARAM_ILLEGAL')
        throw new UnmetPrecondition('30 digits are refused as PARAM_ILLEGAL')
      return (await context.place(valued(`1${'0'.repeat(28)}2`)(order))).code
    },
  },
]

const currencies: AcceptanceCase[] = [
  one(
    'currency-missing',
    'An amount without a currency is refused.',
    charged,
    illegal,
    without('paymentAmount.currency'),
  ),
  one('currency-empty', 'A currency may not be "".', charged, illegal, inCurrency('')),
  one(
    'currency-lower-case',
    'A currency is three capital letters: lower case is refused.',
    charged,
    illegal,
    inCurrency('cny'),
  ),
  one(
    'currency-digits',
    'A currency is an alphabetic code: 156 is refused.',
    charged,
    illegal,
    inCurrency('156'),
  ),
  one(
    'currency-long',
    'A currency has three letters: four are refused.',
    charged,
    illegal,
    inCurrency('CNYX'),
  ),
]

const settlement: AcceptanceCase[] = [
  {
    name: 'amounts/settlement-differs',
    rule: 'In one currency, settlementAmount must equal paymentAmount.',
    source: placeOrderDoc('settlementAmount'),
    breaks: 'The merchant receives another amount than the payer paid.',
    expected: code('PAYMENT_AMOUNT_INVALID'),
    act: async (context) => {
      const order = context.order()
      const { value, currency, more } = amountIn(order, 'paymentAmount')
      return (
        await context.place({ ...bothAmounts(value, currency)(order), settlementAmount: more })
      ).code
    },
  },
  {
    name: 'amounts/quote-missing',
    rule: 'In two currencies, settlementQuote is required.',
    source: placeOrderDoc('settlementQuote'),
    breaks: 'The payer pays at an unknown exchange rate.',
    expected: code('PARAM_ILLEGAL'),
    act: async (context) => {
      const order = context.order(without('settlementQuote'))
      const { currency } = amountIn(order, 'paymentAmount')
      const other = currency === 'USD' ? 'EUR' : 'USD'
      return (await context.place(set('settlementAmount.currency', other)(order))).code
    },
  },
]

const quoted = (
  name: string,
  rule: string,
  breaks: string,
  expected: Expectation,
  change: Change,
): AcceptanceCase => ({
  name: `amounts/${name}`,
  rule,
  source: protocolDoc('Body rules, Quote', 'sdk'),
  breaks,
  expected,
  needs: 'settlement',
  act: async (context) => (await context.place(change(context.order()))).code,
})

const same: Change = (fields) => fields
const quotes: AcceptanceCase[] = [
  quoted(
    'quote-good',
    'An order in two currencies with a matching quote is placed.',
    'Payers from abroad cannot pay.',
    code('SUCCESS'),
    same,
  ),
  quoted(
    'quote-numbers',
    'quotePrice may be a number and guaranteed a boolean, as the SDKs send them.',
    'Payers from abroad cannot pay.',
    code('SUCCESS'),
    (fields) => {
      const { settlementQuote } = fields
      const quote = typeof settlementQuote === 'object' ? { ...settlementQuote } : {}
      const price = 'quotePrice' in quote ? Number(quote.quotePrice) : undefined
      return set('settlementQuote', {
        ...quote,
        ...(price === undefined ? {} : { quotePrice: price }),
        guaranteed: true,
      })(fields)
    },
  ),
  quoted(
    'quote-exponent',
    'quotePrice may be written with an exponent, as some languages print it.',
    'Payers from abroad cannot pay.',
    code('SUCCESS'),
    (fields) => {
      const { settlementQuote } = fields
      const quote = typeof settlementQuote === 'object' ? { ...settlementQuote } : {}
      if (!('quotePrice' in quote)) return fields
      const quotePrice = Number(quote.quotePrice).toExponential().toUpperCase()
      return set('settlementQuote', { ...quote, quotePrice })(fields)
    },
  ),
  quoted(
    'quote-not-kept',
    'A settlementAmount that does not match the quote is refused.',
    'The merchant receives another amount than the payer paid.',
    code('PAYMENT_AMOUNT_INVALID'),
    (fields) => {
      const { value, currency } = amountIn(fields, 'settlementAmount')
      return { ...fields, settlementAmount: { value: `${BigInt(value) * 2n + 10n}`, currency } }
    },
  ),
  quoted(
    'quote-price',
    'A quotePrice that is not a positive decimal is refused.',
    'The payer pays at an unknown exchange rate.',
    illegal,
    set('settlementQuote.quotePrice', '-1'),
  ),
  {
    name: 'amounts/quote-not-compared',
    rule: 'A repeat with another quote is the same order: the quote is not compared.',
    source: placeOrderDoc('paymentId'),
    breaks: 'A repeat with a new quote is refused, and the payer cannot learn whether it was paid.',
    expected: code('SUCCESS'),
    needs: 'settlement',
    act: async (context) => {
      const order = context.order()
      const first = await context.placed(order)
      return agreed([first, await context.place(set('settlementQuote.quoteId', 'another')(order))])
    },
  },
]

export const amountCases: readonly AcceptanceCase[] = [
  ...values,
  ...currencies,
  ...settlement,
  ...quotes,
]
