import currencyCodes from 'currency-codes'

/** ISO 4217 amendment 176, which the library's list of 2024 does not have: in force since 2025-03-31, with ANG's number. */
const caribbeanGuilder = { code: 'XCG', number: '532', digits: 2 }

const currencies = [...currencyCodes.data, caribbeanGuilder]
const minorUnits = new Map(currencies.map(({ code, digits }) => [code, digits]))
const alphabetic = new Map(currencies.map(({ code, number }) => [number, code]))

/** How many decimal places the smallest unit of a currency stands at (ISO 4217); undefined: no such currency. */
export const decimalsOf = (currency: string): number | undefined => minorUnits.get(currency)

/** The alphabetic code of a currency that is named by its alphabetic or its numeric ISO 4217 code. */
export function currencyNamed(text: string): string | undefined {
  if (/^\d{1,3}$/.test(text)) return alphabetic.get(text.padStart(3, '0'))
  const code = text.toUpperCase()
  return minorUnits.has(code) ? code : undefined
}
