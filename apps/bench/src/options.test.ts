import { expect, test } from 'vitest'
import { planOf } from './options.ts'

test('all benchmarks run, unless some are chosen', () => {
  expect(planOf([])).toMatchObject({
    only: undefined,
    short: false,
    rounds: 3,
    seconds: 4,
    storedOrders: 1_000_000,
  })
  expect(planOf(['--only', 'core,slow']).only).toEqual(['core', 'slow'])
})

test('a curve can be compared with that of another checkout, and its plot kept', () => {
  const args = ['--against', '../before', '--plot', 'docs/curve.svg', '--in-flight', '1,64']
  expect(planOf([...args, '--systems', 'placeorder,floor'])).toMatchObject({
    against: '../before',
    plot: 'docs/curve.svg',
    systems: ['placeorder', 'floor'],
    inFlight: [1, 64],
  })
})

test('the length of rounds can be chosen, in the short form too', () => {
  expect(planOf(['--short'])).toMatchObject({ short: true, seconds: 2 })
  expect(planOf(['--short', '--rounds', '5', '--seconds', '1'])).toMatchObject({
    rounds: 5,
    seconds: 1,
  })
})

test.each([
  ['an unknown option', ['--fast']],
  ['a word for a number', ['--rounds', 'many']],
  ['a load that is no number', ['--in-flight', '1,many']],
  ['no rounds at all', ['--rounds', '0']],
])('%s is refused', (_, args) => {
  expect(() => planOf(args)).toThrow()
})
