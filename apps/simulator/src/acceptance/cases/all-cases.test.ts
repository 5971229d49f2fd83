import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { resultCodes } from '@placeorder/protocol'
import { expect, test } from 'vitest'
import { faultyAcquirers } from '../../../test/faulty-behaviours.ts'
import { casesMarkdown } from '../report/markdown.ts'
import { allCases } from './all-cases.ts'

const root = join(import.meta.dirname, '../../../../..')
const cases = allCases()

test('docs/acceptance-cases.md lists the cases; -u writes it', async () => {
  await expect(casesMarkdown(cases)).toMatchFileSnapshot(join(root, 'docs/acceptance-cases.md'))
})

test.each(['README.md', 'docs/acceptance.md', 'apps/simulator/README.md'])(
  '%s names the number of cases',
  async (page) => {
    const text = await readFile(join(root, page), 'utf8')
    expect([...text.matchAll(/(\d+) cases/g)].map(([, number]) => Number(number))).toContain(
      cases.length,
    )
  },
)

test('docs/acceptance.md names the number of faulty acquirers', async () => {
  const text = await readFile(join(root, 'docs/acceptance.md'), 'utf8')
  expect(text).toContain(`against ${faultyAcquirers.length} small acquirers`)
})

test('there are at least 60 cases, each with its own name', () => {
  expect(cases.length).toBeGreaterThanOrEqual(60)
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
})

test('every case that cites PROTOCOL.md names a heading of it', async () => {
  const headings = [
    ...(await readFile(join(root, 'docs/PROTOCOL.md'), 'utf8')).matchAll(/^## (.*)$/gm),
  ]
  const known = new Set(headings.map(([, heading]) => heading))
  const unknown = cases.filter(
    ({ source }) => source.page === 'PROTOCOL.md' && !known.has(source.section.split(',')[0]),
  )
  expect(unknown.map(({ name, source }) => `${name}: ${source.section}`)).toEqual([])
})

test('every case has its rule, source, expectation and what breaks, in sentences', () => {
  const isSentence = (text: string) => /^\S.*[.!]$/s.test(text)
  const incomplete = cases.filter(
    ({ rule, breaks, source, expected }) =>
      !isSentence(rule) || !isSentence(breaks) || source.section === '' || expected.text === '',
  )
  expect(incomplete.map(({ name }) => name)).toEqual([])
})

test('every code but the one for overload is expected by a case', () => {
  const expected = new Set(
    cases.flatMap((one) =>
      resultCodes.filter((code) => one.expected.isMet(code) && one.expected.text.includes(code)),
    ),
  )
  const never = resultCodes.filter((code) => !expected.has(code))
  expect(never).toEqual(['REQUEST_TRAFFIC_EXCEED_LIMIT'])
})
