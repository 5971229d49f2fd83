import { expect, test } from 'vitest'
import { nodeVersionError } from './node-version.ts'

test.each([
  ['20.20.2', true],
  ['22.18.0', true],
  ['22.19.0', false],
  ['22.20.1', false],
  ['24.0.0', false],
])('Node %s is refused as too old: %j', (version, isTooOld) => {
  expect(nodeVersionError(version) !== undefined).toBe(isTooOld)
})
