import { execFileSync } from 'node:child_process'
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  answeredTarget,
  formatSignatureHeader,
  parseSignatureHeader,
  sign,
  signedText,
  verify,
} from './signature.ts'

const fixture = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures', name))
const privateKey = createPrivateKey(fixture('test-only-key.pem'))
const publicKey = createPublicKey(fixture('test-only-key.pub.pem'))
const base64 = fixture('signature.b64').toString()
const target = '/aps/api/v1/payments/placeOrder'
const text = signedText(
  target,
  'SANDBOX_5Y00000000000001',
  '2019-04-04T12:08:56+05:30',
  fixture('body.json'),
)

const encodings: [string, string][] = [
  ['percent-encoded base64', encodeURIComponent(base64)],
  [
    'percent-encoded in small hex',
    encodeURIComponent(base64).replaceAll(/%../g, (hex) => hex.toLowerCase()),
  ],
  ['plain base64, in which + stays +', base64],
  ['base64url with padding', base64.replaceAll('+', '-').replaceAll('/', '_')],
  [
    'base64 in lines, their ends percent-encoded',
    encodeURIComponent(base64.replaceAll(/.{76}/g, '$&\r\n')),
  ],
  ['base64 percent-encoded twice', encodeURIComponent(encodeURIComponent(base64))],
  ['base64 in double quotes', `"${base64}"`],
  [
    'base64url without padding',
    base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
  ],
]

describe('what OpenSSL signed verifies', () => {
  test.each(encodings)('as %s', (_name, value) => {
    const header = parseSignatureHeader(`algorithm=RSA256, keyVersion=1, signature=${value}`)
    expect(header?.signature.toString('base64')).toBe(base64)
    expect(verify(text, publicKey, header?.signature ?? Buffer.alloc(0))).toBe(true)
  })
})

test('what we sign, OpenSSL verifies', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'placeorder-'))
  writeFileSync(join(dir, 'text'), text)
  writeFileSync(join(dir, 'signature'), await sign(text, privateKey))
  const key = join(import.meta.dirname, 'fixtures/test-only-key.pub.pem')
  const args = [
    'dgst',
    '-sha256',
    '-verify',
    key,
    '-signature',
    join(dir, 'signature'),
    join(dir, 'text'),
  ]
  expect(execFileSync('openssl', args, { encoding: 'utf8' })).toContain('Verified OK')
  rmSync(dir, { recursive: true })
})

test('we emit percent-encoded standard base64, which reads back', async () => {
  const signature = await sign(text, privateKey)
  const header = formatSignatureHeader('3', signature)
  expect(header).toBe(
    `algorithm=RSA256, keyVersion=3, signature=${encodeURIComponent(signature.toString('base64'))}`,
  )
  expect(parseSignatureHeader(header)).toEqual({ algorithm: 'RSA256', keyVersion: '3', signature })
})

test.each<[string, string, object | undefined]>([
  [
    'pairs in any order',
    'signature=AAAA,keyVersion=2,algorithm=RSA256',
    { algorithm: 'RSA256', keyVersion: '2' },
  ],
  [
    'spaces after commas, or none',
    'algorithm=RSA256,   keyVersion=0,signature=AAAA',
    { keyVersion: '0' },
  ],
  ['unknown pairs', 'algorithm=RSA256, signature=AAAA, colour=red', { keyVersion: undefined }],
  ['no keyVersion', 'algorithm=RSA256, signature=AAAA', { keyVersion: undefined }],
  [
    'padding kept, since a pair is split on its first =',
    'algorithm=RSA256, signature=AAA=',
    { algorithm: 'RSA256' },
  ],
  [
    'a signature that is not base64 verifies nothing',
    'algorithm=RSA256, signature=%%%',
    { signature: Buffer.alloc(0) },
  ],
  [
    'a signature cut within a percent code',
    'algorithm=RSA256, signature=AAAA%2',
    { signature: Buffer.alloc(0) },
  ],
  [
    'a comma at its end',
    'algorithm=RSA256, keyVersion=1, signature=AAAA,',
    { algorithm: 'RSA256', keyVersion: '1' },
  ],
  ['commas between', ',algorithm=RSA256,, signature=AAAA', { algorithm: 'RSA256' }],
  [
    'names in another case',
    'Algorithm=RSA256, KEYVERSION=2, Signature=AAAA',
    { algorithm: 'RSA256', keyVersion: '2' },
  ],
  [
    'values in double quotes',
    'algorithm="RSA256", keyVersion="2", signature="AAAA"',
    { algorithm: 'RSA256', keyVersion: '2', signature: Buffer.from('AAAA', 'base64') },
  ],
  [
    'blanks around =',
    'algorithm = RSA256, keyVersion = 2, signature = AAAA',
    { algorithm: 'RSA256', keyVersion: '2' },
  ],
  ['an unknown name twice', 'a=1, a=2, algorithm=RSA256, signature=AAAA', { algorithm: 'RSA256' }],
  ['an unknown name alone', 'RSA, algorithm=RSA256, signature=AAAA', { algorithm: 'RSA256' }],
  [
    'an unknown value with a comma in quotes',
    'note="a, signature=B, \\"c", algorithm=RSA256, signature=AAAA',
    { signature: Buffer.from('AAAA', 'base64') },
  ],
  ['an empty keyVersion', 'algorithm=RSA256, keyVersion=, signature=AAAA', { algorithm: 'RSA256' }],
  ['nothing', '', undefined],
  ['a known name without a value', 'algorithm=RSA256, signature', undefined],
  ['two algorithms', 'algorithm=RSA256, algorithm=NONE, signature=AAAA', undefined],
  ['a word alone', 'RSA256', undefined],
  ['no algorithm', 'keyVersion=1, signature=AAAA', undefined],
  ['no signature', 'algorithm=RSA256, keyVersion=1', undefined],
  ['an empty signature', 'algorithm=RSA256, keyVersion=1, signature=', undefined],
  ['a pair twice', 'algorithm=RSA256, signature=AAAA, signature=BBBB', undefined],
])('a header with %s', (_name, header, expected) => {
  const parsed = parseSignatureHeader(header)
  if (expected === undefined) expect(parsed).toBeUndefined()
  else expect(parsed).toMatchObject(expected)
})

test('a signature over anything else does not verify', async () => {
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(), async (body, at) => {
      const signed = signedText(target, 'C-1', '1700000000000', body)
      const signature = await sign(signed, privateKey)
      const changed = Buffer.from(body)
      changed.writeUInt8((changed[at % body.length] ?? 0) ^ 1, at % body.length)
      expect(verify(signed, publicKey, signature)).toBe(true)
      expect(
        verify(signedText(target, 'C-1', '1700000000000', changed), publicKey, signature),
      ).toBe(false)
      expect(verify(signedText(target, 'C-2', '1700000000000', body), publicKey, signature)).toBe(
        false,
      )
      expect(verify(signed, other.publicKey, signature)).toBe(false)
    }),
    { numRuns: 30 },
  )
})

test('a header of any text is read or refused, and never throws', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (header) => {
      const parsed = parseSignatureHeader(header)
      expect(parsed === undefined || parsed.algorithm.length > 0).toBe(true)
    }),
  )
})

test.each([
  ['/place', '/place'],
  ["/a-z_0.~/b:c@d!$&'()*+,;=e//?f=%2f?g/h&i=%ff", undefined],
  ['/', '/'],
  ['', '/'],
  ['*', '/'],
  ['pay.example:443', '/'],
  ['http://pay.example/place', '/'],
  ['/a b', '/'],
  ['/a\nSANDBOX.2026.{}', '/'],
  ['/a?{"refundRequestId":"1"}', '/'],
  ['/a#b', '/'],
  ['/a\\b', '/'],
  ['/\u00fc', '/'],
  ['/a[0]', '/'],
])('an answer to %j is signed for its path and query, or for /', (target, signed = target) => {
  expect(answeredTarget(target)).toBe(signed)
})
