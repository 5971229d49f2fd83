import { expect, test } from 'vitest'
import { readArguments } from './options.ts'

test('without arguments: a minute, some seed', () => {
  expect(readArguments([])).toEqual({ seed: expect.any(Number), minutes: 1, rate: 40 })
})

test('seed, minutes and rate are taken', () => {
  expect(readArguments(['--seed', '7', '--minutes', '20', '--rate', '60'])).toEqual({
    seed: 7,
    minutes: 20,
    rate: 60,
  })
})

test.each([
  ['an unknown option', ['--hours', '1'], /hours/],
  ['a word for a number', ['--minutes', 'many'], '--minutes must be a number'],
  ['a rate of nothing', ['--rate', '0'], '--rate must be a number from 1'],
  ['a seed below zero', ['--seed=-1'], '--seed must be a number from 0'],
])('%s is refused with what is wrong', (_name, args, message) => {
  expect(() => readArguments(args)).toThrow(message)
})
