import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DoesNotApply, mutated } from './mutant.ts'
import { tableOf } from './report.ts'
import { mutants } from './table/index.ts'

const change = { file: 'a.ts', from: 'is < max', to: 'is <= max' }

test('a mutant changes the one place it names', () => {
  expect(mutated('if (is < max) go()', change)).toBe('if (is <= max) go()')
})

test.each([
  ['is missing', 'if (is > max) go()'],
  ['is found twice', 'is < max && is < max'],
])('a mutant whose place %s does not apply', (_what, text) => {
  expect(() => mutated(text, change)).toThrow(DoesNotApply)
})

test('each mutant has a unique name and changes something', () => {
  expect(new Set(mutants.map(({ breaks }) => breaks)).size).toBe(mutants.length)
  for (const { from, to, breaks } of mutants) expect(to, breaks).not.toBe(from)
})

test('each mutant applies to its file, and its test exists', () => {
  const root = join(import.meta.dirname, '../../../..')
  for (const mutant of mutants) {
    mutated(readFileSync(join(root, mutant.file), 'utf8'), mutant)
    const [workspace, test] = mutant.test
    expect(existsSync(join(root, workspace, test)), test).toBe(true)
  }
})

test('the table says which test catches a mutant, and which survive', () => {
  const mutant = { ...change, breaks: 'the limit', test: ['packages/store', 'src/a.test.ts'] }
  const text = tableOf([{ mutant: { ...mutant, test: ['packages/a', 'b.ts'] }, result: 'caught' }])
  expect(text).toContain('| the limit | `a.ts` | `packages/a/b.ts` | caught |')
  expect(text).toContain('1 of 1 caught')
})
