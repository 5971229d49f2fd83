import { expect, test } from 'vitest'
import { readArguments } from './options.ts'

test('seed, minutes and the number of a shot are read', () => {
  expect(readArguments(['--seed', '7', '--minutes', '0.5', '--only', '4711'])).toEqual({
    seed: 7,
    minutes: 0.5,
    only: 4711,
  })
  expect(readArguments(['--help'])).toBe('help')
})

test.each([[['--minutes', '0']], [['--seed', 'x']], [['--only', '']], [['--hours', '1']]])(
  'arguments that cannot be understood are refused: %j',
  (args) => {
    expect(() => readArguments(args)).toThrow(/must be a number|Unknown option/)
  },
)
