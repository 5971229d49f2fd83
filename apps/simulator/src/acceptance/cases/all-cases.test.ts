import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { resultCodes } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import { wrongAcquirers } from '../../../test/faulty-behaviours.ts'
import { casesMarkdown } from '../report/markdown.ts'
import { allCases } from './all-cases.ts'

const root = join(import.meta.dirname, '../../../../..')
const cases = allCases()

test('the list in docs/ is the list of the cases; -u writes it anew', async () => {
  await expect(casesMarkdown(cases)).toMatchFileSnapshot(join(root, 'docs/acceptance-cases.md'))
})

test.each(['README.md', 'docs/acceptance.md', 'apps/simulator/README.md'])(
  '%s says how many there are',
  async (page) => {
    const text = await readFile(join(root, page), 'utf8')
    expect([...text.matchAll(/(\d+) cases/g)].map(([, number]) => Number(number))).toContain(
      cases.length,
    )
  },
)

test('the page of acceptance says how many wrong acquirers it finds', async () => {
  const text = await readFile(join(root, 'docs/acceptance.md'), 'utf8')
  expect(text).toContain(`against ${wrongAcquirers.length} small acquirers`)
})

test('there are 60 and more, and no two of one name', () => {
  expect(cases.length).toBeGreaterThanOrEqual(60)
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
})

test('every rule of PROTOCOL.md that a case names stands under a heading there', async () => {
  const headings = [
    ...(await readFile(join(root, 'docs/PROTOCOL.md'), 'utf8')).matchAll(/^## (.*)$/gm),
  ]
  const known = new Set(headings.map(([, heading]) => heading))
  const unknown = cases.filter(
    ({ source }) => source.page === 'PROTOCOL.md' && !known.has(source.at.split(',')[0]),
  )
  expect(unknown.map(({ name, source }) => `${name}: ${source.at}`)).toEqual([])
})

test('every case says its rule, where it is written, what it hopes for and what breaks, in sentences', () => {
  const isSentence = (text: string) => /^\S.*[.!]$/s.test(text)
  const silent = cases.filter(
    ({ rule, breaks, source, expected }) =>
      !isSentence(rule) || !isSentence(breaks) || source.at === '' || expected.words === '',
  )
  expect(silent.map(({ name }) => name)).toEqual([])
})

test('every code is expected by a case, but for the one that only an overload gives', () => {
  const expected = new Set(
    cases.flatMap((one) =>
      resultCodes.filter((code) => one.expected.isMet(code) && one.expected.words.includes(code)),
    ),
  )
  const never = resultCodes.filter((code) => !expected.has(code))
  expect(never).toEqual(['REQUEST_TRAFFIC_EXCEED_LIMIT'])
})
