import currencyCodes from 'currency-codes'

const minorUnits = new Map(currencyCodes.data.map(({ code, digits }) => [code, digits]))
const alphabetic = new Map(currencyCodes.data.map(({ code, number }) => [number, code]))

/** How many decimal places the smallest unit of a currency stands at (ISO 4217); undefined: no such currency. */
export const decimalsOf = (currency: string): number | undefined => minorUnits.get(currency)

/** The alphabetic code of a currency that is named by its alphabetic or its numeric ISO 4217 code. */
export function currencyNamed(text: string): string | undefined {
  if (/^\d{1,3}$/.test(text)) return alphabetic.get(text.padStart(3, '0'))
  const code = text.toUpperCase()
  return minorUnits.has(code) ? code : undefined
}
