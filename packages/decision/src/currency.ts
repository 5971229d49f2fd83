import currencyCodes from 'currency-codes'

/**
 * ISO 4217 amendment 176, in force since 2025-03-31 with ANG's number. The library's list of 2024
 * does not have it.
 */
const caribbeanGuilder = { code: 'XCG', number: '532', digits: 2 }

const currencies = [...currencyCodes.data, caribbeanGuilder]
const minorUnits = new Map(currencies.map(({ code, digits }) => [code, digits]))
const alphabetic = new Map(currencies.map(({ code, number }) => [number, code]))

/** The decimal places of a currency's smallest unit (ISO 4217); undefined: no such currency. */
export const decimalsOf = (currency: string): number | undefined => minorUnits.get(currency)

/** The alphabetic code of a currency given by its alphabetic or numeric ISO 4217 code. */
export function currencyNamed(text: string): string | undefined {
  if (/^\d{1,3}$/.test(text)) return alphabetic.get(text.padStart(3, '0'))
  const code = text.toUpperCase()
  return minorUnits.has(code) ? code : undefined
}
