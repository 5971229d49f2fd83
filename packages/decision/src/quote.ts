import { type Amount, type Quote, smallestUnits } from '@placeorder/protocol'
import { currencyNamed, decimalsOf } from './currency.ts'

/** A positive rational number; both parts are positive. */
type Ratio = { numerator: bigint; denominator: bigint }

/**
 * The longest rate that is used, which is the longest in a request: multiplying with a longer one
 * takes too long.
 */
const RATE_CHARACTERS_MAX = 141
const RATE_EXPONENT_MAX = 100n

/**
 * Whether `settled` follows from `paid` and the quote, to within `toleranceUnits` smallest units of
 * the settlement currency (1 covers every way of rounding). Exact: rational numbers of BigInt,
 * nothing is rounded.
 *
 * The pair `A/B` and the price p mean that 1 A is p B; with `quoteUnit` n, n A is p B.
 * `baseCurrency` is A. Without it the price may be meant either way, because senders differ in the
 * order of the pair. A quote without a valid price, or of other currencies, fits no amounts.
 */
export function followsQuote(
  paid: Amount,
  settled: Amount,
  quote: Quote,
  toleranceUnits: bigint,
): boolean {
  const rate = rateOf(quote)
  const paidDecimals = decimalsOf(paid.currency)
  const settledDecimals = decimalsOf(settled.currency)
  if (rate === undefined || paidDecimals === undefined || settledDecimals === undefined)
    return false
  const scale = {
    numerator: 10n ** BigInt(settledDecimals),
    denominator: 10n ** BigInt(paidDecimals),
  }
  return basesOf(quote, paid.currency, settled.currency).some((base) => {
    const factor = times(scale, base === paid.currency ? rate : inverse(rate))
    const numerator = smallestUnits(paid) * factor.numerator
    const difference = smallestUnits(settled) * factor.denominator - numerator
    return absolute(difference) <= toleranceUnits * factor.denominator
  })
}

/** The possible base currencies: one if the quote names it, otherwise both. */
function basesOf(quote: Quote, paid: string, settled: string): string[] {
  const both = [paid, settled]
  if (quote.quoteCurrencyPair !== undefined) {
    const pair = currenciesIn(quote.quoteCurrencyPair)
    if (pair === undefined || !both.every((currency) => pair.includes(currency))) return []
  }
  if (quote.baseCurrency === undefined) return both
  const base = currencyNamed(quote.baseCurrency.trim())
  return both.filter((currency) => currency === base)
}

/** The alphabetic codes in `USD/KRW`, `840/410`, also with another separator or none. */
function currenciesIn(pair: string): string[] | undefined {
  const [, left, right] = /^\s*([a-z]{3}|\d{3})[^a-z\d]{0,3}([a-z]{3}|\d{3})\s*$/i.exec(pair) ?? []
  const first = left === undefined ? undefined : currencyNamed(left)
  const second = right === undefined ? undefined : currencyNamed(right)
  return first === undefined || second === undefined ? undefined : [first, second]
}

/**
 * The price of one unit of the base currency; undefined if the quote's price is not a positive
 * decimal.
 */
function rateOf(quote: Quote): Ratio | undefined {
  const price = quote.quotePrice === undefined ? undefined : positiveDecimal(quote.quotePrice)
  if (price === undefined) return undefined
  const unit = quote.quoteUnit === undefined ? undefined : positiveDecimal(quote.quoteUnit)
  return unit === undefined ? price : times(price, inverse(unit))
}

/**
 * Parses `1300` and `0.00076`; and `1.0E2`, as SDKs may print a `quoteUnit`, which can be any text.
 */
function positiveDecimal(text: string): Ratio | undefined {
  if (text.length > RATE_CHARACTERS_MAX) return undefined
  const [, whole, fraction = '', exponentText = '0'] =
    /^\s*\+?(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?\s*$/.exec(text) ?? []
  if (whole === undefined) return undefined
  const digits = BigInt(whole + fraction)
  const exponent = BigInt(exponentText.replace('+', '')) - BigInt(fraction.length)
  if (digits === 0n || absolute(exponent) > RATE_EXPONENT_MAX) return undefined
  if (exponent < 0n) return { numerator: digits, denominator: 10n ** -exponent }
  return { numerator: digits * 10n ** exponent, denominator: 1n }
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value)
const inverse = ({ numerator, denominator }: Ratio): Ratio => ({
  numerator: denominator,
  denominator: numerator,
})
const times = (one: Ratio, other: Ratio): Ratio => ({
  numerator: one.numerator * other.numerator,
  denominator: one.denominator * other.denominator,
})
