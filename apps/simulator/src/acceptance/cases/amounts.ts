import { anyBut, type Case, code, type Expected, page, UnmetPrecondition, wire } from '../case.ts'
import { agreed } from '../loose-answer.ts'
import {
  amountIn,
  amounts as bothAmounts,
  type Change,
  type Fields,
  set,
  without,
} from '../order.ts'

const charged = 'The payer is charged another amount than he saw.'
const illegal = code('PARAM_ILLEGAL')

/** The sample with both amounts of this value, in its own currency. */
const valued =
  (value: unknown): Change =>
  (fields: Fields) =>
    set('settlementAmount.value', value)(set('paymentAmount.value', value)(fields))

/** The sample in this currency, both amounts. */
const inCurrency =
  (currency: unknown): Change =>
  (fields: Fields) =>
    set('settlementAmount.currency', currency)(set('paymentAmount.currency', currency)(fields))

const one = (
  name: string,
  rule: string,
  breaks: string,
  expected: Expected,
  ...changes: Change[]
): Case => ({
  name: `amounts/${name}`,
  rule,
  source: wire('Body rules, Amount'),
  breaks,
  expected,
  act: async (lab) => (await lab.place(lab.order(...changes))).code,
})

/** Forms of a number that are none of an amount. */
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
  ['other-digits', 'written in other digits than 0 to 9', '１００'],
  ['letters', 'no number', 'abc'],
]

const values: Case[] = [
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
    'An amount of 0 is well-formed, but no payment.',
    'An order is placed that nobody can pay.',
    code('PAYMENT_AMOUNT_INVALID'),
    valued('0'),
  ),
  one(
    'many-digits',
    'A value may have any number of digits: it is whole smallest units, not a float.',
    'Large payments, or any in currencies of small units, cannot be made.',
    anyBut('PARAM_ILLEGAL'),
    valued(`1${'0'.repeat(39)}`),
  ),
  {
    name: 'amounts/every-digit',
    rule: 'Every digit of an amount counts: one that differs in its 30th is another amount.',
    source: wire('Body rules, Amount'),
    breaks: charged,
    expected: code('REPEAT_REQ_INCONSISTENT'),
    act: async (lab) => {
      const order = lab.order(valued(`1${'0'.repeat(28)}1`))
      const first = await lab.place(order)
      if (first.code === 'PARAM_ILLEGAL')
        throw new UnmetPrecondition('30 digits are refused as PARAM_ILLEGAL')
      return (await lab.place(valued(`1${'0'.repeat(28)}2`)(order))).code
    },
  },
]

const currencies: Case[] = [
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
    'A currency is three capital letters.',
    charged,
    illegal,
    inCurrency('cny'),
  ),
  one(
    'currency-digits',
    'A currency is alphabetic: 156 is refused.',
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

const settlement: Case[] = [
  {
    name: 'amounts/settlement-differs',
    rule: 'In one currency, settlementAmount is paymentAmount.',
    source: page('settlementAmount'),
    breaks: 'The merchant is settled another amount than the payer paid.',
    expected: code('PAYMENT_AMOUNT_INVALID'),
    act: async (lab) => {
      const order = lab.order()
      const { value, currency, more } = amountIn(order, 'paymentAmount')
      return (await lab.place({ ...bothAmounts(value, currency)(order), settlementAmount: more }))
        .code
    },
  },
  {
    name: 'amounts/quote-missing',
    rule: 'In two currencies, settlementQuote is required.',
    source: page('settlementQuote'),
    breaks: 'The payer pays at a rate nobody stated.',
    expected: code('PARAM_ILLEGAL'),
    act: async (lab) => {
      const order = lab.order(without('settlementQuote'))
      const { currency } = amountIn(order, 'paymentAmount')
      const other = currency === 'USD' ? 'EUR' : 'USD'
      return (await lab.place(set('settlementAmount.currency', other)(order))).code
    },
  },
]

const quoted = (
  name: string,
  rule: string,
  breaks: string,
  expected: Expected,
  change: Change,
): Case => ({
  name: `amounts/${name}`,
  rule,
  source: wire('Body rules, Quote', 'sdk'),
  breaks,
  expected,
  needs: 'settlement',
  act: async (lab) => (await lab.place(change(lab.order()))).code,
})

const same: Change = (fields) => fields
const quotes: Case[] = [
  quoted(
    'quote-good',
    'An order that is settled in another currency at its quote is placed.',
    'Payers from abroad cannot pay.',
    code('SUCCESS'),
    same,
  ),
  quoted(
    'quote-numbers',
    'quotePrice may be a number and guaranteed a boolean, as SDKs send them.',
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
    'A settlementAmount that does not follow from the quote is refused.',
    'The merchant is settled another amount than the payer paid.',
    code('PAYMENT_AMOUNT_INVALID'),
    (fields) => {
      const { value, currency } = amountIn(fields, 'settlementAmount')
      return { ...fields, settlementAmount: { value: `${BigInt(value) * 2n + 10n}`, currency } }
    },
  ),
  quoted(
    'quote-price',
    'A quotePrice that is no positive decimal is refused.',
    'The payer pays at a rate nobody stated.',
    illegal,
    set('settlementQuote.quotePrice', '-1'),
  ),
  {
    name: 'amounts/quote-not-compared',
    rule: 'The quote is not compared on a repeat: the order is the same.',
    source: page('paymentId'),
    breaks: 'A repeat after a new quote is refused, and the payer cannot learn whether he paid.',
    expected: code('SUCCESS'),
    needs: 'settlement',
    act: async (lab) => {
      const order = lab.order()
      const first = await lab.placed(order)
      return agreed([first, await lab.place(set('settlementQuote.quoteId', 'another')(order))])
    },
  },
]

export const amountCases: readonly Case[] = [...values, ...currencies, ...settlement, ...quotes]
