import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { openLog } from './log.ts'

function open() {
  const lines: string[] = []
  const write = (chunk: unknown, _encoding: string, done: () => void) => {
    lines.push(String(chunk))
    done()
  }
  return {
    lines,
    log: openLog({ name: 'test', level: 'info', destination: new Writable({ write }) }),
  }
}

const unseen: [string, string, string][] = [
  ['a terminal’s escape', '\u001b[2J', '\\u001b[2J'],
  ['a one-byte escape', '\u009b2J', '\\u009b2J'],
  ['a line break', 'a\r\nb', 'a\\u000d\\u000ab'],
  ['a separator of lines', 'a\u2028b', 'a\\u2028b'],
  ['a mark of direction', 'a\u202eb', 'a\\u202eb'],
  ['control characters', '\u0000\u007f', '\\u0000\\u007f'],
  ['an unpaired surrogate', 'a\ud800', 'a\\ud800'],
]

test.each(unseen)('%s is escaped wherever a caller wrote it', (_what, text, shown) => {
  const { lines, log } = open()
  const err = new Error(text.replaceAll(/[\r\n]/g, ' '))
  log.info({ reason: text, at: { deep: [text] }, [text]: 1, err }, text)
  const [line = '{}'] = lines
  expect(JSON.parse(line)).toMatchObject({ reason: shown, at: { deep: [shown] }, msg: shown })
  expect(Object.keys(JSON.parse(line))).toContain(shown)
  expect(JSON.parse(line).err.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u)
})

test('a long text of a caller is cut, and its length stated', () => {
  const { lines, log } = open()
  const long = 'x'.repeat(31_000)
  log.info({ reason: long, err: new Error(long) }, long)
  const [line = ''] = lines
  expect(line.length).toBeLessThan(5_000)
  expect(JSON.parse(line).reason).toBe(`${'x'.repeat(512)}… (31000 characters)`)
})

test('text of any script stays as it is, and so do the lines of a fault', () => {
  const { lines, log } = open()
  log.info({ reason: 'Zürich 支付 🧾', err: new Error('fix these:\n  - one') }, 'gut')
  const { reason, err } = JSON.parse(lines[0] ?? '{}')
  expect([reason, err.message]).toEqual(['Zürich 支付 🧾', 'fix these:\n  - one'])
})

test('a fault of the configuration has no stack, and neither has its cause', () => {
  const { lines, log } = open()
  const fault = new Error('PORT: must be a whole number', { cause: new Error('why') })
  fault.name = 'ConfigFault'
  log.error({ err: fault }, 'did not start')
  log.error({ err: new Error('a bug') }, 'a bug')
  const [first, second] = lines.map((line) => JSON.parse(line).err)
  expect(first).toEqual({
    type: 'ConfigFault',
    message: 'PORT: must be a whole number',
    cause: { type: 'Error', message: 'why' },
  })
  expect(second.stack).toContain('log.test.ts')
})

/** A process of its own that logs to standard output. */
const logging = (script: string) =>
  spawn(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { openLog } from '${new URL('./log.ts', import.meta.url)}'
    const log = openLog({ name: 'test', level: 'info' })
    ${script}`,
  ])

test('lines come though none follows them, and the process goes on', async () => {
  const child = logging("log.info('one'); log.info('two'); setInterval(() => {}, 1_000)")
  try {
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const [one, two] = [await lines.next(), await lines.next()]
    expect([one, two].map(({ value = '' }) => JSON.parse(value).msg)).toEqual(['one', 'two'])
  } finally {
    child.kill()
  }
})

test('a process that ends has written what waits', async () => {
  const child = logging("log.info('one'); log.info('two'); process.exit(0)")
  const lines = (await text(child.stdout)).trim().split('\n')
  // In any order: the first one may be on its way as the process ends.
  expect(lines.map((line) => JSON.parse(line).msg).sort()).toEqual(['one', 'two'])
})
