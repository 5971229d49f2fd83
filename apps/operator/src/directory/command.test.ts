import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { openDirectory } from '@placeorder/store'
import { testRedis } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runDirectory } from './command.ts'

const merchant = { merchantId: 'M1', status: 'ACTIVE', kybLevel: 1, contracts: [] }
const code = { codeValue: 'C1', type: 'ENTRY_CODE', merchantId: 'M1', status: 'OPEN' }

let dir: string
let redis: Awaited<ReturnType<typeof testRedis>>
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'placeorder-directory-'))
  redis = await testRedis({ own: true })
})
afterAll(async () => {
  await redis.close()
  await rm(dir, { recursive: true })
})

async function run(args: string[], { isTTY = false, input = '' } = {}) {
  const out: string[] = []
  const err: string[] = []
  const exit = await runDirectory(args, {
    open: () =>
      openDirectory({ urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }, 1),
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text), isTTY },
    input: Readable.from([Buffer.from(input)]),
  })
  return { exit, out: out.join(''), err: err.join('') }
}

async function fileOf(name: string, ...lines: unknown[]): Promise<string> {
  const path = join(dir, name)
  await writeFile(
    path,
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  )
  return path
}

test('good lines are imported, bad ones reported by number; the exit code is 1', async () => {
  const path = await fileOf('bad.ndjson', { merchant }, '{"code":', code, {
    ...code,
    status: 'GONE',
  })
  const first = await run(['import', path])
  expect(first.exit).toBe(1)
  expect(first.out).toMatch(/^imported 1 merchant and 1 code in \d+\.\d s, [\d,]+ records\/s\n$/)
  expect(first.err).toContain(`${path}: line 2: is not JSON\n`)
  expect(first.err).toMatch(/line 4: status: .*\n/)
  expect(first.err).toContain('left out 2 bad records: fix the file and import it again')
  expect((await run(['show', 'code', 'C1'])).exit).toBe(0)
})

test('lines are imported from standard input, too', async () => {
  const { exit, out } = await run(['import', '-'], {
    input: JSON.stringify({ ...merchant, merchantId: 'M9' }),
  })
  expect(exit).toBe(0)
  expect(out).toMatch(/^imported 1 merchant and 0 codes/)
  expect((await run(['show', 'merchant', 'M9'])).exit).toBe(0)
})

test('an import may be repeated, and the later version stands', async () => {
  const path = await fileOf(
    'again.ndjson',
    { ...merchant, merchantId: 'M2' },
    { ...merchant, merchantId: 'M2', kybLevel: 3 },
  )
  expect((await run(['import', path])).exit).toBe(0)
  expect((await run(['import', path])).exit).toBe(0)
  const { out } = await run(['show', 'merchant', 'M2'])
  expect(JSON.parse(out)).toMatchObject({ merchantId: 'M2', kybLevel: 3 })
})

test('what is shown can be imported', async () => {
  await run([
    'import',
    await fileOf('one.json', { merchants: [{ ...merchant, merchantId: 'M3' }], codes: [] }),
  ])
  const shown = await run(['show', 'merchant', 'M3'])
  const again = await fileOf('again.json', { merchants: [JSON.parse(shown.out)], codes: [] })
  expect((await run(['import', again])).out).toContain('imported 1 merchant and 0 codes')
})

test('a removed record does not exist any more', async () => {
  await run([
    'import',
    await fileOf('gone.ndjson', { ...merchant, merchantId: 'M4' }, { ...code, codeValue: '-C4' }),
  ])
  expect(await run(['remove', 'merchant', 'M4'])).toEqual({
    exit: 0,
    out: 'removed the merchant\n',
    err: '',
  })
  expect(await run(['remove', 'merchant', 'M4'])).toEqual({
    exit: 1,
    out: '',
    err: 'there is no such merchant\n',
  })
  expect(await run(['remove', 'code', '--', '-C4'])).toMatchObject({ exit: 0 })
  expect(await run(['show', 'code', '--', '-C4'])).toEqual({
    exit: 1,
    out: '',
    err: 'there is no such code\n',
  })
})

test('a progress bar is drawn on a terminal, and removed', async () => {
  const codes = Array.from({ length: 20_000 }, (_, i) => ({ ...code, codeValue: `bar-${i}` }))
  const { err } = await run(['import', await fileOf('many.ndjson', ...codes)], { isTTY: true })
  expect(err.startsWith('\r\x1b[2K[')).toBe(true)
  expect(err).toMatch(/\[█*░*\] \d+ % {2}[\d,]+ records {2}[\d,]+ records\/s/)
  expect(err.endsWith('\r\x1b[2K')).toBe(true)
})

test('--help lists every command', async () => {
  const { exit, out } = await run(['--help'])
  expect(exit).toBe(0)
  for (const word of [
    'import <file>',
    'show merchant',
    'show code',
    'remove merchant',
    'remove code',
  ])
    expect(out).toContain(word)
})

test.each([
  [[]],
  [['import']],
  [['import', 'a.json', 'b.json']],
  [['import', 'a.csv']],
  [['show', 'M1']],
  [['show', 'person', 'M1']],
  [['remove', 'code']],
  [['export', 'a.json']],
  [['--verbose']],
])('%j is invalid, and exits with 2', async (args) => {
  expect(await run(args)).toMatchObject({ exit: 2, out: '' })
})

test('a missing file is reported', async () => {
  await expect(run(['import', join(dir, 'nowhere.json')])).rejects.toThrow('no such file')
})

test.each(['[]', '{}', 'null', '', '[[]]', '{"merchants":[],"codes":[]}'])(
  'a file of %j imports nothing, which is an error',
  async (text) => {
    for (const name of ['empty.json', 'empty.ndjson']) {
      const { exit, err } = await run(['import', await fileOf(name, text)])
      expect(exit).toBe(1)
      expect(err).toMatch(/holds no merchant and no code|left out|cut off|not an object/)
    }
  },
)
