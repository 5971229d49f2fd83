import { generateKeyPairSync } from 'node:crypto'
import { type Case, code, type Expected, type Source, wire } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { type Make, percentEncoded } from '../make-request.ts'
import { set } from '../order.ts'

const base64 = (signature: Buffer): string => signature.toString('base64')
const base64url = (signature: Buffer): string => signature.toString('base64url')
const cannotPay = 'Payers of callers that sign this way cannot pay.'
const placed = code('SUCCESS')
const wrong = code('INVALID_SIGNATURE')

type LooseAnswer = { rule: string; breaks: string; expected: Expected; source: Source }

/** An order that differs in how it is signed. */
const signed = (
  name: string,
  told: LooseAnswer,
  make: Make | ((lab: CaseContext) => Make),
): Case => ({
  name: `signature/${name}`,
  ...told,
  act: async (lab) =>
    (await lab.place(lab.order(), typeof make === 'function' ? make(lab) : make)).code,
})

const encoding = wire('Request, encoding of the value', 'sdk')
const encodings: Case[] = [
  ['percent-encoded', 'base64, percent-encoded', percentEncoded] as const,
  ['percent-lower-case', 'base64, percent-encoded in lower case', lowerHex] as const,
  ['base64', 'plain base64, in which + stays +', base64] as const,
  ['base64-in-lines', 'base64 in lines, percent-encoded with their ends', inLines] as const,
  ['base64url', 'base64url without padding', base64url] as const,
  [
    'base64url-padded',
    'base64url with padding',
    (s: Buffer) => base64(s).replaceAll('+', '-').replaceAll('/', '_'),
  ] as const,
].map(([name, what, encode]) =>
  signed(
    name,
    {
      rule: `A signature may be written as ${what}.`,
      breaks: cannotPay,
      expected: placed,
      source: encoding,
    },
    { encode },
  ),
)

function inLines(signature: Buffer): string {
  return encodeURIComponent(base64(signature).replaceAll(/.{76}/g, '$&\r\n'))
}

function lowerHex(signature: Buffer): string {
  return percentEncoded(signature).replaceAll(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase())
}

const form = wire('Request, Signature')
const forms: Case[] = (
  [
    [
      'pairs-reordered',
      'The pairs of the header may stand in any order.',
      (value, version) => `signature=${value}, keyVersion=${version}, algorithm=RSA256`,
    ],
    [
      'pairs-unspaced',
      'The pairs may be separated by a comma alone.',
      (value, version) => `algorithm=RSA256,keyVersion=${version},signature=${value}`,
    ],
    [
      'pairs-unknown',
      'A pair that nobody knows is ignored.',
      (value, version) => `algorithm=RSA256, keyVersion=${version}, tomorrow=1, signature=${value}`,
    ],
    [
      'pairs-quoted',
      'The values of the pairs may stand in double quotes.',
      (value, version) => `algorithm="RSA256", keyVersion="${version}", signature="${value}"`,
    ],
    [
      'pairs-comma-at-end',
      'The header may end with a comma.',
      (value, version) => `algorithm=RSA256, keyVersion=${version}, signature=${value},`,
    ],
    [
      'pairs-other-case',
      'The names of the pairs may be written in any case.',
      (value, version) => `Algorithm=RSA256, keyversion=${version}, SIGNATURE=${value}`,
    ],
    [
      'pairs-unknown-odd',
      'Pairs that nobody knows are ignored, also twice or without a value.',
      (value, version) =>
        `a=1, a=2, b, algorithm=RSA256, keyVersion=${version}, signature=${value}`,
    ],
    [
      'algorithm-lower-case',
      'The algorithm may be written in lower case.',
      (value, version) => `algorithm=rsa256, keyVersion=${version}, signature=${value}`,
    ],
    [
      'key-version-missing',
      'Without keyVersion the newest key is meant.',
      (value) => `algorithm=RSA256, signature=${value}`,
    ],
  ] satisfies [string, string, NonNullable<Make['header']>][]
).map(([name, rule, header]) =>
  signed(name, { rule, breaks: cannotPay, expected: placed, source: form }, { header }),
)

const text = wire('Request, signed text')
const anyone =
  'Whoever sees one request can send others in the name of Alipay+, and payers pay for what they did not order.'
const changedOnTheWay =
  'An order that was changed on its way is placed: the payer pays another merchant, or another amount.'

const failures: Case[] = [
  signed(
    'another-key',
    {
      rule: "A signature by a key that is not the caller's is refused.",
      breaks: anyone,
      expected: wrong,
      source: text,
    },
    () => ({ key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }),
  ),
  signed(
    'another-path',
    {
      rule: 'A signature for another path is refused.',
      breaks: anyone,
      expected: wrong,
      source: text,
    },
    { signed: { target: '/another/path' } },
  ),
  signed(
    'another-time',
    {
      rule: 'A signature for another Request-Time is refused.',
      breaks: anyone,
      expected: wrong,
      source: text,
    },
    { signed: { time: '2020-01-01T00:00:00Z' } },
  ),
  signed(
    'another-client',
    {
      rule: 'A signature for another Client-Id is refused.',
      breaks: anyone,
      expected: wrong,
      source: text,
    },
    { signed: { clientId: 'SANDBOX_another' } },
  ),
  {
    name: 'signature/another-body',
    rule: 'A body that is not the one signed is refused, though it differs in one digit.',
    source: text,
    breaks: changedOnTheWay,
    expected: wrong,
    act: async (lab) => {
      const order = lab.order()
      const body = Buffer.from(JSON.stringify(set('paymentAmount.value', '1')(order)))
      return (await lab.place(order, { signed: { body } })).code
    },
  },
  {
    name: 'signature/blanks-added',
    rule: 'The signature covers the bytes of the body: a blank more is refused.',
    source: text,
    breaks: changedOnTheWay,
    expected: wrong,
    act: async (lab) => {
      const order = lab.order()
      const sent = Buffer.from(JSON.stringify(order, null, 1))
      return (await lab.place(sent, { signed: { body: Buffer.from(JSON.stringify(order)) } })).code
    },
  },
  signed(
    'newline-at-end',
    {
      rule: 'The signed text has no newline at its end.',
      breaks:
        'Two sides that sign different texts understand each other by chance, and one day no payer can pay.',
      expected: wrong,
      source: text,
    },
    { signed: { tail: '\n' } },
  ),
  signed(
    'cut-short',
    {
      rule: 'A signature that is cut short is refused.',
      breaks: anyone,
      expected: wrong,
      source: text,
    },
    { encode: (s) => percentEncoded(s.subarray(0, 128)) },
  ),
  signed(
    'no-base64',
    {
      rule: 'A signature that is no base64 in any form is refused.',
      breaks: anyone,
      expected: wrong,
      source: encoding,
    },
    { encode: () => '%%%not base64%%%' },
  ),
  signed(
    'empty',
    {
      rule: 'A Signature header without a value is refused.',
      breaks: anyone,
      expected: code('PARAM_ILLEGAL', 'INVALID_SIGNATURE'),
      source: form,
    },
    { encode: () => '' },
  ),
  signed(
    'another-algorithm',
    {
      rule: 'An algorithm that is not RSA256 is refused.',
      breaks: 'Whoever may choose the algorithm chooses one he can forge.',
      expected: code('INVALID_SIGNATURE', 'PARAM_ILLEGAL'),
      source: form,
    },
    { header: (value, version) => `algorithm=NONE, keyVersion=${version}, signature=${value}` },
  ),
]

const raw: Case[] = [
  {
    name: 'signature/body-as-sent',
    rule: 'The body is verified as it was sent, with its blanks, escapes and order, never written anew.',
    source: text,
    breaks:
      'Orders of callers that write JSON in another way than the acquirer are refused as forged.',
    expected: placed,
    act: async (lab) => {
      const order = JSON.stringify(lab.order(), null, '\t ')
      const escaped = order.replaceAll('a', '\\u0061').replace(/^\{/, '\r\n { ')
      return (await lab.place(Buffer.from(`${escaped}\n`))).code
    },
  },
  signed(
    'query',
    {
      rule: 'Path and query are signed as they are sent.',
      breaks: 'Orders to an address with a query are refused as forged.',
      expected: placed,
      source: text,
    },
    ({ setting: { who } }) => ({ url: withQuery(who.url) }),
  ),
  signed(
    'query-unsigned',
    {
      rule: 'A query that was not signed is refused.',
      breaks: changedOnTheWay,
      expected: wrong,
      source: text,
    },
    ({ setting: { who } }) => ({ url: withQuery(who.url), signed: { target: who.url.pathname } }),
  ),
]

function withQuery(url: URL): URL {
  const other = new URL(url)
  other.searchParams.set('trace', 'a b/c')
  return other
}

export const signature: readonly Case[] = [...encodings, ...forms, ...raw, ...failures]
