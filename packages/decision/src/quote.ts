import { type Amount, type Quote, smallestUnits } from '@placeorder/protocol'
import { currencyNamed, decimalsOf } from './currency.ts'

/** A positive rational number; both parts are positive. */
type Ratio = { numerator: bigint; denominator: bigint }

/**
 * Longest rate taken seriously, as long as a request may have it: a longer one costs time to
 * multiply with.
 */
const RATE_CHARACTERS_MAX = 141
const RATE_EXPONENT_MAX = 100n

/**
 * Whether `settled` follows from `paid` and the quote, to within `toleranceUnits` smallest units of the settlement
 * currency (1 covers every way of rounding). Exact: rational numbers of BigInt, nothing is rounded.
 *
 * The pair `A/B` and the price p say that 1 A is p B; `quoteUnit` n says that it is n A instead. `baseCurrency` says
 * which of the two is A. Where it is not given the price may be meant either way, because senders differ in how they order
 * the pair. A quote without a usable price, or of other currencies, leads nowhere.
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

/** Which of the two currencies the price may be for one of: one where the quote says, both where it does not. */
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

/** `USD/KRW`, `840/410`, also with another sign or none between: the two alphabetic codes as they stand. */
function currenciesIn(pair: string): string[] | undefined {
  const [, left, right] = /^\s*([a-z]{3}|\d{3})[^a-z\d]{0,3}([a-z]{3}|\d{3})\s*$/i.exec(pair) ?? []
  const first = left === undefined ? undefined : currencyNamed(left)
  const second = right === undefined ? undefined : currencyNamed(right)
  return first === undefined || second === undefined ? undefined : [first, second]
}

/** The price of one unit of the base currency; undefined where the quote has no positive decimal for a price. */
function rateOf(quote: Quote): Ratio | undefined {
  const price = quote.quotePrice === undefined ? undefined : positiveDecimal(quote.quotePrice)
  if (price === undefined) return undefined
  const unit = quote.quoteUnit === undefined ? undefined : positiveDecimal(quote.quoteUnit)
  return unit === undefined ? price : times(price, inverse(unit))
}

/** Reads `1300` and `0.00076`; and `1.0E2`, as SDKs may print a `quoteUnit`, which is any text. */
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
