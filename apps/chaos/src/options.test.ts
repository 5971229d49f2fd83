import { expect, test } from 'vitest'
import { readArguments } from './options.ts'
import { topologyNames } from './topologies/topology.ts'

test('without arguments a run has a random seed and lasts a minute', () => {
  const args = readArguments([])
  expect(args).toMatchObject({ seed: expect.any(Number), minutes: 1, rate: 40 })
})

test('seed, minutes and rate are read', () => {
  const args = readArguments(['--seed', '7', '--minutes', '20', '--rate', '60'])
  expect(args).toMatchObject({ seed: 7, minutes: 20, rate: 60 })
})

const topologiesOf = (...args: string[]) => {
  const read = readArguments(args)
  return read === 'help' ? [] : read.topologies
}

test('the seed chooses the topology, unless one is named', () => {
  const bySeed = ['0', '1', '2'].flatMap((seed) => topologiesOf('--seed', seed))
  expect(bySeed.toSorted()).toEqual([...topologyNames].sort())
  expect(topologiesOf('--seed', '0', '--topology', 'cluster')).toEqual(['cluster'])
  expect(topologiesOf('--topology', 'mixed')).toEqual(topologyNames)
})

test.each([
  ['an unknown option', ['--hours', '1'], /hours/],
  ['a word for a number', ['--minutes', 'many'], '--minutes must be a number'],
  ['a rate of 0', ['--rate', '0'], '--rate must be a number from 1'],
  ['a seed below zero', ['--seed=-1'], '--seed must be a number from 0'],
  ['an unknown topology', ['--topology', 'ring'], '--topology must be one of single, sentinel'],
])('%s is refused with what is wrong', (_name, args, message) => {
  expect(() => readArguments(args)).toThrow(message)
})
