import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { openTerminal, table } from './terminal.ts'

function written(isTTY: boolean, env: Record<string, string> = {}, columns = 80) {
  const texts: string[] = []
  const stream = { write: (text: string) => texts.push(text), isTTY, columns }
  return { terminal: openTerminal({ out: stream, err: stream, env }), texts }
}

const red = '\x1b[31mno\x1b[39m'

describe('a terminal', () => {
  test.each([
    ['it is a terminal', true, {}, red],
    ['it is piped', false, {}, 'no'],
    ['NO_COLOR is set', true, { NO_COLOR: '1' }, 'no'],
    ['NO_COLOR is empty', true, { NO_COLOR: '' }, red],
    ['the terminal is dumb', true, { TERM: 'dumb' }, 'no'],
    ['FORCE_COLOR is set and it is piped', false, { FORCE_COLOR: '1' }, red],
    ['FORCE_COLOR is 0', true, { FORCE_COLOR: '0' }, 'no'],
    ['NO_COLOR and FORCE_COLOR are set', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, 'no'],
  ])('paints only where colours are wanted: %s', (_when, isTTY, env, expected) => {
    expect(written(isTTY, env).terminal.paint('red', 'no')).toBe(expected)
  })

  test('shows progress in place on a terminal, and not when piped', () => {
    const tty = written(true)
    tty.terminal.progress('half')
    expect(tty.texts).toEqual(['\r\x1b[2Khalf'])
    const piped = written(false)
    piped.terminal.progress('half')
    expect(piped.texts).toEqual([])
  })
})

test('columns of a table are aligned, painted or not', () => {
  const { terminal } = written(true)
  const lines = table(
    [{ title: 'name' }, { title: 'n', align: 'right' }],
    [
      [terminal.paint('green', 'ok'), '7'],
      ['longer name', '100'],
      ['two\n lines', ''],
    ],
    written(false).terminal,
  )
  expect(lines.map((line) => stripVTControlCharacters(line))).toEqual([
    'name           n',
    '───────────  ───',
    'ok             7',
    'longer name  100',
    'two lines',
  ])
})

test.each([
  ['on a wide terminal', true, 60, 60, false],
  ['on a narrow terminal', true, 30, 30, true],
  ['when piped, however narrow', false, 30, 60, false],
])('a table %s has lines of at most its width', (_where, isTTY, columns, most, isCut) => {
  const rows = [['short', 'a text that is far longer than the rest', 'red']]
  const lines = table(
    ['name', 'text', 'end'].map((title) => ({ title })),
    rows,
    written(isTTY, {}, columns).terminal,
  ).map((line) => stripVTControlCharacters(line))
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(most)
  expect(lines[2]?.includes('…')).toBe(isCut)
  expect(lines[2]).toMatch(/red$/)
})
