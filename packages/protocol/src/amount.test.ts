import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isMoreThan } from './amount.ts'

test('comparing digits has the same result as comparing numbers', () => {
  const units = fc.oneof(fc.bigInt(0n, 120n), fc.bigInt(0n, 10n ** 40n))
  fc.assert(
    fc.property(units, units, fc.bigInt(-1n, 1n), (one, other, near) => {
      const amount = (value: bigint) => ({ value: String(value), currency: 'CNY' })
      expect(isMoreThan(amount(one), other)).toBe(one > other)
      if (one + near >= 0n) expect(isMoreThan(amount(one), one + near)).toBe(near < 0n)
    }),
  )
})
