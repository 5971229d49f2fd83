import { generateKeyPairSync } from 'node:crypto'
import { type AcceptanceCase, type CaseText, code, protocolDoc } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { percentEncoded, type Variation } from '../make-request.ts'
import { set } from '../order.ts'

const base64 = (signature: Buffer): string => signature.toString('base64')
const base64url = (signature: Buffer): string => signature.toString('base64url')
const cannotPay = 'Payers of callers that sign this way cannot pay.'
const placed = code('SUCCESS')
const wrong = code('INVALID_SIGNATURE')

type SignatureCase = Omit<CaseText, 'name'>

/** An order that is signed in an unusual way. */
const signed = (
  name: string,
  text: SignatureCase,
  variation: Variation | ((context: CaseContext) => Variation),
): AcceptanceCase => ({
  name: `signature/${name}`,
  ...text,
  act: async (context) =>
    (
      await context.place(
        context.order(),
        typeof variation === 'function' ? variation(context) : variation,
      )
    ).code,
})

const encoding = protocolDoc('Request, encoding of the value', 'sdk')
const encodings: AcceptanceCase[] = [
  ['percent-encoded', 'base64, percent-encoded', percentEncoded] as const,
  ['percent-lower-case', 'base64, percent-encoded in lower case', lowerHex] as const,
  ['base64', 'plain base64, in which + stays +', base64] as const,
  ['base64-in-lines', 'base64 in lines, percent-encoded with the line breaks', inLines] as const,
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

const form = protocolDoc('Request, Signature')
const forms: AcceptanceCase[] = (
  [
    [
      'pairs-reordered',
      'The pairs of the header may stand in any order.',
      (value, version) => `signature=${value}, keyVersion=${version}, algorithm=RSA256`,
    ],
    [
      'pairs-unspaced',
      'The pairs may be separated by a comma without a space.',
      (value, version) => `algorithm=RSA256,keyVersion=${version},signature=${value}`,
    ],
    [
      'pairs-unknown',
      'An unknown pair is ignored.',
      (value, version) => `algorithm=RSA256, keyVersion=${version}, tomorrow=1, signature=${value}`,
    ],
    [
      'pairs-quoted',
      'The values of the pairs may be in double quotes.',
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
      'Unknown pairs are ignored, even twice or without a value.',
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
      'Without keyVersion the newest key verifies.',
      (value) => `algorithm=RSA256, signature=${value}`,
    ],
  ] satisfies [string, string, NonNullable<Variation['header']>][]
).map(([name, rule, header]) =>
  signed(name, { rule, breaks: cannotPay, expected: placed, source: form }, { header }),
)

const signedText = protocolDoc('Request, signed text')
const forged =
  'Strangers can send requests in the name of Alipay+, and payers pay for what they did not order.'
const tampered =
  'An order that was changed in transit is placed: the payer pays another merchant or amount.'

const failures: AcceptanceCase[] = [
  signed(
    'another-key',
    {
      rule: "A signature by a key that is not the caller's is refused.",
      breaks: forged,
      expected: wrong,
      source: signedText,
    },
    () => ({ key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey }),
  ),
  signed(
    'another-path',
    {
      rule: 'A signature for another path is refused.',
      breaks: forged,
      expected: wrong,
      source: signedText,
    },
    { signed: { target: '/another/path' } },
  ),
  signed(
    'another-time',
    {
      rule: 'A signature for another Request-Time is refused.',
      breaks: forged,
      expected: wrong,
      source: signedText,
    },
    { signed: { time: '2020-01-01T00:00:00Z' } },
  ),
  signed(
    'another-client',
    {
      rule: 'A signature for another Client-Id is refused.',
      breaks: forged,
      expected: wrong,
      source: signedText,
    },
    { signed: { clientId: 'SANDBOX_another' } },
  ),
  {
    name: 'signature/another-body',
    rule: 'A body that differs in one digit from the signed one is refused.',
    source: signedText,
    breaks: tampered,
    expected: wrong,
    act: async (context) => {
      const order = context.order()
      const body = Buffer.from(JSON.stringify(set('paymentAmount.value', '1')(order)))
      return (await context.place(order, { signed: { body } })).code
    },
  },
  {
    name: 'signature/blanks-added',
    rule: 'The signature covers the bytes of the body: added whitespace is refused.',
    source: signedText,
    breaks: tampered,
    expected: wrong,
    act: async (context) => {
      const order = context.order()
      const sent = Buffer.from(JSON.stringify(order, null, 1))
      return (await context.place(sent, { signed: { body: Buffer.from(JSON.stringify(order)) } }))
        .code
    },
  },
  signed(
    'newline-at-end',
    {
      rule: 'The signed text has no newline at its end.',
      breaks:
        'Both sides sign different texts, and after the next change of either no payer can pay.',
      expected: wrong,
      source: signedText,
    },
    { signed: { tail: '\n' } },
  ),
  signed(
    'cut-short',
    {
      rule: 'A truncated signature is refused.',
      breaks: forged,
      expected: wrong,
      source: signedText,
    },
    { encode: (s) => percentEncoded(s.subarray(0, 128)) },
  ),
  signed(
    'no-base64',
    {
      rule: 'A signature that is not base64 is refused.',
      breaks: forged,
      expected: wrong,
      source: encoding,
    },
    { encode: () => '%%%not base64%%%' },
  ),
  signed(
    'empty',
    {
      rule: 'A Signature header without a value is refused.',
      breaks: forged,
      expected: code('PARAM_ILLEGAL', 'INVALID_SIGNATURE'),
      source: form,
    },
    { encode: () => '' },
  ),
  signed(
    'another-algorithm',
    {
      rule: 'An algorithm that is not RSA256 is refused.',
      breaks: 'An attacker who may choose the algorithm chooses one that can be forged.',
      expected: code('INVALID_SIGNATURE', 'PARAM_ILLEGAL'),
      source: form,
    },
    { header: (value, version) => `algorithm=NONE, keyVersion=${version}, signature=${value}` },
  ),
]

const raw: AcceptanceCase[] = [
  {
    name: 'signature/body-as-sent',
    rule: 'The body is verified as sent, with its whitespace, escapes and order of fields.',
    source: signedText,
    breaks:
      'Orders of callers that format JSON differently from the acquirer are refused as forged.',
    expected: placed,
    act: async (context) => {
      const order = JSON.stringify(context.order(), null, '\t ')
      const escaped = order.replaceAll('a', '\\u0061').replace(/^\{/, '\r\n { ')
      return (await context.place(Buffer.from(`${escaped}\n`))).code
    },
  },
  signed(
    'query',
    {
      rule: 'Path and query are verified as sent.',
      breaks: 'Orders to a URL with a query are refused as forged.',
      expected: placed,
      source: signedText,
    },
    ({ setting: { config } }) => ({ url: withQuery(config.url) }),
  ),
  signed(
    'query-unsigned',
    {
      rule: 'A query that was not signed is refused.',
      breaks: tampered,
      expected: wrong,
      source: signedText,
    },
    ({ setting: { config } }) => ({
      url: withQuery(config.url),
      signed: { target: config.url.pathname },
    }),
  ),
]

function withQuery(url: URL): URL {
  const other = new URL(url)
  other.searchParams.set('trace', 'a b/c')
  return other
}

export const signature: readonly AcceptanceCase[] = [...encodings, ...forms, ...raw, ...failures]
