import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readAnyPrivateKey, readCertificates, readPrivateKey, readPublicKey } from './keys.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const dir = mkdtempSync(join(tmpdir(), 'placeorder-keys-'))
afterAll(() => rmSync(dir, { recursive: true }))

const pem = { format: 'pem' } as const
const der = { format: 'der' } as const
const spki = String(publicKey.export({ ...pem, type: 'spki' }))
const spkiDer = publicKey.export({ ...der, type: 'spki' })
const pkcs1 = String(publicKey.export({ ...pem, type: 'pkcs1' }))
const pkcs8 = String(privateKey.export({ ...pem, type: 'pkcs8' }))
const pkcs8Der = privateKey.export({ ...der, type: 'pkcs8' })
const encrypted = { cipher: 'aes-256-cbc', passphrase: 'secret' }

const keyFile = join(dir, 'key.pem')
writeFileSync(keyFile, pkcs8)
const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
const subject = ['-key', keyFile, '-subj', '/CN=a']
const certificate = openssl('req', '-x509', ...subject)
const request = openssl('req', '-new', ...subject)

/** The forms of one PEM text and its DER. */
const waysOf = (text: string, binary: Buffer): [string, string | Buffer][] => [
  ['PEM', text],
  ['PEM with CRLF', text.replaceAll('\n', '\r\n')],
  ['indented PEM', text.replaceAll(/^/gm, '    ')],
  ['PEM with \\n written out', text.replaceAll('\n', '\\n')],
  ['PEM in one line', text.replaceAll('\n', ' ')],
  ['PEM without any break', text.replaceAll('\n', '')],
  ['PEM after a byte order mark', `\uFEFF${text}`],
  ['PEM after words', `Bag Attributes\n    friendlyName: a\n${text}`],
  ['base64 without armour', binary.toString('base64')],
  ['base64 in lines', `${binary.toString('base64').replaceAll(/.{64}/g, '$&\r\n')}\r\n`],
  ['base64url', binary.toString('base64url')],
  ['base64 in quotes', `"${binary.toString('base64')}"\n`],
  ['base64 after a byte order mark', `\uFEFF${binary.toString('base64')}`],
  ['base64 of PEM', Buffer.from(text).toString('base64')],
  ['DER', binary],
]

describe('a public key', () => {
  test.each([
    ...waysOf(spki, spkiDer).map(([way, said]) => [`SPKI as ${way}`, said] as const),
    ...waysOf(pkcs1, publicKey.export({ ...der, type: 'pkcs1' })).map(
      ([way, said]) => [`PKCS #1 as ${way}`, said] as const,
    ),
    ...waysOf(certificate, new X509Certificate(certificate).raw).map(
      ([way, said]) => [`a certificate as ${way}`, said] as const,
    ),
  ])('is read from %s', (_way, said) => {
    expect(readPublicKey(Buffer.from(said)).equals(publicKey)).toBe(true)
  })

  test.each<[string, string | Buffer, RegExp]>([
    ['a private key', pkcs8, /^holds a private key: .*give the public one/],
    ['a private key in DER', pkcs8Der, /^holds a private key/],
    ['a private key in base64', pkcs8Der.toString('base64'), /^holds a private key/],
    ['PKCS #1', privateKey.export({ ...pem, type: 'pkcs1' }), /^holds a private key/],
    ['a private key called public', pkcs8.replaceAll('PRIVATE', 'PUBLIC'), /^holds a private/],
    [
      'an encrypted private key',
      privateKey.export({ ...pem, type: 'pkcs8', ...encrypted }),
      /^holds a private key/,
    ],
    ['a certificate and its private key', certificate + pkcs8, /^holds a private key/],
    ['an EC key', ec.publicKey.export({ ...pem, type: 'spki' }), /^is not an RSA key but ec/],
    ['a short key', small.publicKey.export({ ...pem, type: 'spki' }), /^has 1024 bits: 2048 or/],
    ['a request for a certificate', request, /\(it says CERTIFICATE REQUEST\): give it as PEM/],
    ['a key cut short', spki.slice(0, 200), /^cannot be read as a public key .*: give it as PEM/],
    ['a damaged key', spki.replaceAll('MII', 'ZZZ'), /^cannot be read .*says PUBLIC KEY\)/],
    ['a key of SSH', 'ssh-rsa AAAAB3NzaC1yc2E= me@here', /^cannot be read as a public key/],
    ['JSON', '{"kty":"RSA"}', /^cannot be read as a public key/],
    ['a placeholder', 'REPLACE-WITH-THE-PUBLIC-KEY', /^is the placeholder .*put your own key/],
    ['nothing', '', /^cannot be read as a public key/],
    ['UTF-16', Buffer.from(`\uFEFF${spki}`, 'utf16le'), /UTF-8 nor a key in DER: save it as PEM/],
    ['noise', Buffer.from([0x30, 0, 1, 2, 3]), /^cannot be read as a public key/],
  ])('is refused as %s, with a cure', (_what, said, fault) => {
    expect(() => readPublicKey(Buffer.from(said))).toThrow(fault)
  })
})

describe('a private key', () => {
  test.each([
    ...waysOf(pkcs8, pkcs8Der).map(([way, said]) => [`PKCS #8 as ${way}`, said] as const),
    ...waysOf(
      String(privateKey.export({ ...pem, type: 'pkcs1' })),
      privateKey.export({ ...der, type: 'pkcs1' }),
    ).map(([way, said]) => [`PKCS #1 as ${way}`, said] as const),
    ['PKCS #8 after its certificate', certificate + pkcs8] as const,
  ])('is read from %s', (_way, said) => {
    expect(readPrivateKey(Buffer.from(said)).equals(privateKey)).toBe(true)
  })

  test.each<[string, string | Buffer, RegExp]>([
    [
      'encrypted PKCS #8',
      privateKey.export({ ...pem, type: 'pkcs8', ...encrypted }),
      /^is encrypted: decrypt it, such as with openssl pkey/,
    ],
    [
      'encrypted PKCS #8 in DER',
      privateKey.export({ ...der, type: 'pkcs8', ...encrypted }),
      /^is encrypted/,
    ],
    [
      'encrypted PKCS #1',
      privateKey.export({ ...pem, type: 'pkcs1', ...encrypted }),
      /^is encrypted/,
    ],
    ['a public key', spki, /^holds a public key or a certificate: give the private key/],
    ['a certificate', certificate, /^holds a public key or a certificate/],
    ['an EC key', ec.privateKey.export({ ...pem, type: 'sec1' }), /^is not an RSA key but ec/],
    ['a short key', small.privateKey.export({ ...pem, type: 'pkcs8' }), /^has 1024 bits/],
    [
      'a key of OpenSSH',
      pkcs8.replaceAll('PRIVATE', 'OPENSSH PRIVATE').replace('MII', 'AAA'),
      /convert it with ssh-keygen -p -m PKCS8/,
    ],
    ['nothing', '\n', /^cannot be read as a private key/],
  ])('is refused as %s, with a cure', (_what, said, fault) => {
    expect(() => readPrivateKey(Buffer.from(said))).toThrow(fault)
  })

  test('of TLS may be of another kind than RSA', () => {
    const key = readAnyPrivateKey(Buffer.from(ec.privateKey.export({ ...pem, type: 'sec1' })))
    expect(key.equals(ec.privateKey)).toBe(true)
  })
})

test.each(waysOf(certificate, new X509Certificate(certificate).raw))(
  'a certificate is read from %s',
  (_way, said) => {
    expect(readCertificates(Buffer.from(said)).trim()).toBe(certificate.trim())
  },
)

test('a chain of certificates is read whole', () => {
  const chain = readCertificates(Buffer.from(`${certificate}subject=a\r\n${certificate}`))
  expect(chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
})

describe('a key whose private half is in the repository', () => {
  const root = join(import.meta.dirname, '../../..')
  const files = execFileSync('git', ['grep', '-lIE', 'BEGIN ([A-Z0-9]+ )*PRIVATE KEY'], {
    cwd: root,
    encoding: 'utf8',
  })
  const privateKeys = files
    .trim()
    .split('\n')
    .flatMap((file) => {
      const armour = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\n[A-Za-z0-9+/=\n]+-----END \1-----/g
      return [...readFileSync(join(root, file), 'utf8').matchAll(armour)].map(
        ([key]) => [file, key] as const,
      )
    })

  test('is found by the search', () => {
    expect(privateKeys.length).toBeGreaterThan(0)
  })
  test.each(privateKeys)('is trusted by no process: %s', (_file, key) => {
    const half = createPublicKey(key).export({ ...pem, type: 'spki' })
    expect(() => readPublicKey(Buffer.from(half))).toThrow(/private half is in placeorder's/)
    expect(() => readAnyPrivateKey(Buffer.from(key))).toThrow(/private half is in placeorder's/)
    writeFileSync(join(dir, 'published.pem'), key)
    const issued = openssl('req', '-x509', '-key', join(dir, 'published.pem'), '-subj', '/CN=a')
    expect(() => readCertificates(Buffer.from(issued))).toThrow(/private half is in placeorder's/)
  })
})
