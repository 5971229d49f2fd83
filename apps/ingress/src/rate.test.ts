import { expect, test } from 'vitest'
import { Rate } from './rate.ts'

test('a rate allows one second’s number at once, then as many each second', () => {
  let now = 0
  const rate = new Rate(10, () => now)
  const taken = (): number => Array.from({ length: 100 }, () => rate.take()).filter(Boolean).length
  expect(taken()).toBe(10)
  now = 500
  expect(taken()).toBe(5)
  now = 60_000
  expect(taken()).toBe(10)
})
