import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Entry } from './entry.ts'
import { Lines } from './lines.ts'
import { readDocument } from './read-document.ts'
import { readLines } from './read-lines.ts'

const merchant = { merchantId: 'M1', status: 'ACTIVE', kybLevel: 1, contracts: [] }
const code = {
  codeValue: 'https://pay.example/漢字😀',
  type: 'ENTRY_CODE',
  merchantId: 'M1',
  status: 'OPEN',
}

async function* chunksOf(
  bytes: Uint8Array,
  sizes: readonly number[],
): AsyncGenerator<Uint8Array, void> {
  let from = 0
  for (let at = 0; from < bytes.length; at += 1) {
    const to = from + (sizes[at % sizes.length] ?? 1)
    yield bytes.subarray(from, to)
    from = to
  }
}

type Read = typeof readLines

async function entriesOf(
  read: Read,
  text: string | Uint8Array,
  sizes = [7],
  recordBytesMax = 10_000,
): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const entry of read(chunksOf(Buffer.from(text), sizes), recordBytesMax))
    entries.push(entry)
  return entries
}

const kindOf = (entry: Entry) =>
  'fault' in entry
    ? `${entry.where}: ${entry.fault}`
    : `${entry.where}: ${'code' in entry ? 'code' : 'merchant'}`

const ndjson = [
  JSON.stringify({ merchant }),
  JSON.stringify(merchant),
  '',
  `${JSON.stringify({ code })}\r`,
  JSON.stringify(code),
].join('\n')

test('a line is a merchant or a code, bare or under its name; empty ones are skipped', async () => {
  const entries = await entriesOf(readLines, `\ufeff${ndjson}`)
  expect(entries).toEqual([
    { where: 'line 1', merchant },
    { where: 'line 2', merchant },
    { where: 'line 4', code },
    { where: 'line 5', code },
  ])
})

test.each<[string, string, string]>([
  ['text that is not JSON', '{"merchantId"', 'line 2: is not JSON'],
  ['an array', '[1]', 'line 2: is not an object'],
  ['a name around nothing', '{"code":null}', 'line 2: is not an object'],
  ['an unknown field', JSON.stringify({ ...merchant, kyb: 1 }), 'line 2: Unrecognized key: "kyb"'],
  ['an empty object', '{}', 'line 2: merchantId: '],
  [
    'two faults',
    JSON.stringify({ ...code, status: 'open', type: 'ENTRY_CODE', merchantId: '' }),
    'line 2: merchantId: ',
  ],
  ['too many bytes', `{"codeValue":"${'x'.repeat(10_000)}"}`, 'line 2: is longer than 10000 bytes'],
])('%s is a bad line, and the lines around it are good', async (_name, line, fault) => {
  const entries = await entriesOf(
    readLines,
    [JSON.stringify(merchant), line, JSON.stringify(code)].join('\n'),
  )
  expect(entries.map(kindOf)).toEqual([
    'line 1: merchant',
    expect.stringContaining(fault),
    'line 3: code',
  ])
})

test('a line that is not UTF-8 is bad', async () => {
  const bytes = Buffer.concat([
    Buffer.from('{"codeValue":"'),
    Buffer.from([0xff]),
    Buffer.from('"}\n'),
    Buffer.from(JSON.stringify(code)),
  ])
  expect((await entriesOf(readLines, bytes)).map(kindOf)).toEqual([
    'line 1: is not UTF-8',
    'line 2: code',
  ])
})

test('lines are the same however a file is split into chunks', () => {
  const aText = fc
    .array(fc.constantFrom('a', '\n', 'long line ', '漢', '😀'))
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(
      aText,
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (text, sizes) => {
        const bytes = Buffer.from(text)
        const lines = new Lines(1_000)
        const taken: string[] = []
        let from = 0
        for (let at = 0; from < bytes.length; at += 1) {
          const to = from + (sizes[at % sizes.length] ?? 1)
          for (const line of lines.push(bytes.subarray(from, to)))
            taken.push(Buffer.from(line.bytes ?? []).toString())
          from = to
        }
        for (const line of lines.end()) taken.push(Buffer.from(line.bytes ?? []).toString())
        const expected = text.split('\n')
        if (expected.at(-1) === '') expected.pop()
        expect(taken).toEqual(expected)
      },
    ),
  )
})

const document = JSON.stringify(
  { merchants: [merchant, { ...merchant, kybLevel: -1 }], codes: [code, code] },
  null,
  2,
)

test('a document has merchants and codes; bad records are named by their place', async () => {
  for (const sizes of [[1], [3, 11], [100_000]]) {
    const entries = await entriesOf(readDocument, `\ufeff${document}`, sizes)
    expect(entries.map(kindOf)).toEqual([
      'merchants.0: merchant',
      expect.stringMatching(/^merchants\.1: kybLevel: /),
      'codes.0: code',
      'codes.1: code',
    ])
    expect(entries[2]).toEqual({ where: 'codes.0', code })
  }
})

test.each<[string, string, (string | RegExp)[]]>([
  ['empty lists', '{"merchants":[],"codes":[]}', []],
  [
    'another list',
    '{"stores":[{},{}]}',
    ['stores: is neither list: a directory is { "merchants": [ … ], "codes": [ … ] }'],
  ],
  ['a list by itself', JSON.stringify([code]), [/^0: is neither list/]],
  ['records by name', JSON.stringify({ codes: { a: code } }), [/^codes: is neither list/]],
  ['no JSON at all', 'merchants: []', [/^after byte 0: is not JSON: /]],
  ['an end too early', '{"codes":[', ['after byte 10: the document is cut off']],
  ['nothing', '', ['after byte 0: the document is cut off']],
  ['what comes after', '{"codes":[]} {}', [/^after byte 7: is not JSON/]],
])('a document with %s', async (_name, text, faults) => {
  expect((await entriesOf(readDocument, text)).map(kindOf)).toEqual(
    faults.map((fault) => (typeof fault === 'string' ? fault : expect.stringMatching(fault))),
  )
})

test('records before the fault of a document are good', async () => {
  const entries = await entriesOf(readDocument, `{"codes":[${JSON.stringify(code)},nonsense`, [20])
  expect(entries.map(kindOf)).toEqual(['codes.0: code', expect.stringMatching(/is not JSON/)])
})

test('reading stops at bytes that are not UTF-8, and at an endless record', async () => {
  const broken = Buffer.concat([
    Buffer.from('{"codes":["'),
    Buffer.from([0xc0, 0xaf]),
    Buffer.from('"]}'),
  ])
  expect((await entriesOf(readDocument, broken)).map(kindOf)).toEqual([
    expect.stringMatching(/is not UTF-8$/),
  ])
  const endless = `{"codes":["${'x'.repeat(30_000)}`
  expect((await entriesOf(readDocument, endless, [1_000])).map(kindOf)).toEqual([
    'after byte 0: no record ends within 10000 bytes',
  ])
})
