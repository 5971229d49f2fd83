import { expect, test } from 'vitest'
import { readAttackArguments } from './options.ts'

test('seed, minutes and the number of a shot are read', () => {
  expect(readAttackArguments(['--seed', '7', '--minutes', '0.5', '--only', '4711'])).toEqual({
    seed: 7,
    minutes: 0.5,
    only: 4711,
  })
  expect(readAttackArguments(['--help'])).toBe('help')
})

test.each([[['--minutes', '0']], [['--seed', 'x']], [['--only', '']], [['--hours', '1']]])(
  'arguments that cannot be understood are refused: %j',
  (args) => {
    expect(() => readAttackArguments(args)).toThrow(/must be a number|Unknown option/)
  },
)
