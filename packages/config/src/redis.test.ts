import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { copyFile, mkdtemp, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Certificate, openAuthority } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigFault, readEnvironment } from './environment.ts'
import { host } from './fields.ts'
import { addressOf, redisEnvironment } from './redis.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-config-'))
afterAll(() => rm(dir, { recursive: true }))
const authority = await openAuthority(dir, 'authority')
const [one, other] = [await authority.issue('one'), await authority.issue('other')]
const garbage = join(dir, 'garbage.pem')
await writeFile(garbage, 'not a certificate')
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const encrypted = join(dir, 'encrypted.pem')
await writeFile(
  encrypted,
  privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }),
)

const addressIn = (env: Record<string, string>, onFault?: (error: unknown) => void) =>
  addressOf(readEnvironment(z.object(redisEnvironment), env), onFault)

/** The faults that an environment is refused with. */
function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    addressIn(env)
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults
    throw error
  }
  return []
}

test.each([
  ['a bare %', 'redis://:100%pure@h:6379'],
  ['a % and one digit', 'redis://:pure%4@h:6379'],
  ['bytes that are not UTF-8', 'redis://:%ff@h:6379'],
  ['a bare % in the user', 'redis://50%:secret@h:6379'],
  ['a slash', 'redis://:se/cret@h:6379'],
  ['a slash after digits', 'redis://user:12/cret@h:6379'],
  ['a hash', 'redis://user:12#cret@h:6379'],
  ['a question mark', 'redis://user:12?cret@h:6379'],
  ['a comma', 'redis://:se,cret@h:6379'],
])('a password with %s is a fault: percent-encode it', (_name, url) => {
  const faults = faultsOf({ REDIS_URL: url })
  expect(faults[0]).toMatch(/^REDIS_URL\b.*percent-encode.*%25/)
  expect(faults.join()).not.toMatch(/pure|cret@/)
})

test('a percent-encoded password may hold any character', () => {
  const url = `redis://:${encodeURIComponent('100%pure/#?@:,[]')}@h:6379/3`
  expect(addressIn({ REDIS_URL: url }).urls).toEqual([url])
})

test.each(['http://h:6379', 'h:6379', 'redis://', 'redis://::1:6379', 'redis://h:70000'])(
  'the URL %s is a fault that shows the right form',
  (url) => {
    expect(faultsOf({ REDIS_URL: url })[0]).toMatch(/must be redis:\/\/host:port.*brackets/)
  },
)

test('sentinels are parsed, IPv6 addresses without their brackets', () => {
  expect(addressIn({ REDIS_SENTINELS: '[2001:db8::7]:26379, a:1' }).sentinels).toEqual([
    { host: '2001:db8::7', port: 26379 },
    { host: 'a', port: 1 },
  ])
})

test.each(['::1:26379', 'a', 'a:0', 'a:70000', '[a]:1', 'redis://a:1'])(
  'the sentinel %s is a fault of REDIS_SENTINELS',
  (text) => {
    expect(faultsOf({ REDIS_SENTINELS: text })[0]).toMatch(/^REDIS_SENTINELS/)
  },
)

test.each([
  ['::', '::'],
  ['[::1]', '::1'],
  ['0.0.0.0', '0.0.0.0'],
  ['ingress-1.local', 'ingress-1.local'],
])('the host %s to listen at is %s', (text, listened) => {
  expect(host.parse(text)).toBe(listened)
})

test.each(['localhost:3000', '[::1]:3000', 'http://a', '[a]'])('%s is not a host', (text) => {
  expect(host.safeParse(text).success).toBe(false)
})

/** The variables of a client certificate, and what is read from their files. */
const tlsOf = (certFile: string, keyFile: string, onFault?: (error: unknown) => void) =>
  addressIn(
    {
      REDIS_URL: 'rediss://h:6379',
      REDIS_TLS_CA_FILE: authority.certFile,
      REDIS_TLS_CERT_FILE: certFile,
      REDIS_TLS_KEY_FILE: keyFile,
    },
    onFault,
  ).tls

const pemOf = ({ cert, key }: Certificate) => ({ ca: authority.cert, cert, key })

test('certificate, key and authority are read from their files', () => {
  expect(tlsOf(one.certFile, one.keyFile)?.current).toEqual(pemOf(one))
})

test.each<[string, (pem: string) => string | Buffer]>([
  ['after a byte order mark', (pem) => `\uFEFF${pem}`],
  ['with CRLF', (pem) => pem.replaceAll('\n', '\r\n')],
  ['in DER', (pem) => new X509Certificate(pem).raw],
  ['in base64', (pem) => new X509Certificate(pem).raw.toString('base64')],
])('a certificate may be %s', async (_form, formOf) => {
  const file = join(dir, 'form.pem')
  await writeFile(file, formOf(one.cert))
  expect(tlsOf(file, one.keyFile)?.current).toEqual(pemOf(one))
})

test('changed files are used from then on; faulty ones change nothing', async () => {
  const files = { cert: join(dir, 'live.pem'), key: join(dir, 'live.key') }
  const write = async ({ certFile, keyFile }: Certificate) => {
    await copyFile(certFile, files.cert)
    await copyFile(keyFile, files.key)
  }
  await write(one)
  const faults: string[] = []
  const tls = tlsOf(files.cert, files.key, (error) => faults.push(String(error)))
  await copyFile(other.certFile, files.cert)
  expect(tls?.current).toEqual(pemOf(one))
  expect(tls?.current).toEqual(pemOf(one))
  await unlink(files.cert)
  expect(tls?.current).toEqual(pemOf(one))
  expect(faults).toEqual([
    expect.stringContaining('REDIS_TLS_CERT_FILE: is the certificate of another key'),
    expect.stringMatching(/REDIS_TLS_CERT_FILE: .*live\.pem cannot be read \(ENOENT\): create/),
  ])
  await write(other)
  expect(tls?.current).toEqual(pemOf(other))
})

test.each([
  [{ REDIS_URL: 'redis://h:1' }, 'redis://:p%40ss@h:1'],
  [{ REDIS_URL: 'redis://h:1', REDIS_USERNAME: 'a:b' }, 'redis://a%3Ab:p%40ss@h:1'],
  [{ REDIS_URL: 'redis://app@h:1' }, 'redis://app:p%40ss@h:1'],
  [{ REDIS_URL: 'redis://app@h:1', REDIS_USERNAME: 'other' }, 'redis://app:p%40ss@h:1'],
  [{ REDIS_URL: 'redis://:own@h:1', REDIS_USERNAME: 'other' }, 'redis://:own@h:1'],
])('REDIS_PASSWORD completes the login of %o', (env, url) => {
  expect(addressIn({ ...env, REDIS_PASSWORD: 'p@ss' }).urls).toEqual([url])
})

const secure = { REDIS_URL: 'rediss://h:6379' }
test.each([
  ['TLS files without TLS', { REDIS_TLS_CA_FILE: authority.certFile }, /REDIS_TLS_CA_FILE.*rediss/],
  ['one URL of two in clear', { REDIS_URL: 'rediss://a:1,redis://b:2' }, /REDIS_URL.*rediss/],
  [
    'a certificate without a key',
    { ...secure, REDIS_TLS_CERT_FILE: one.certFile },
    /REDIS_TLS_CERT_FILE.*REDIS_TLS_KEY_FILE/,
  ],
  [
    'the key of another certificate',
    { ...secure, REDIS_TLS_CERT_FILE: one.certFile, REDIS_TLS_KEY_FILE: other.keyFile },
    /REDIS_TLS_CERT_FILE.*another key/,
  ],
  ['a missing file', { ...secure, REDIS_TLS_CA_FILE: '/nowhere' }, /CA_FILE.*\/nowhere.*ENOENT/],
  [
    'a file that is not a certificate',
    { ...secure, REDIS_TLS_CA_FILE: garbage },
    /CA_FILE.*garbage.*as a certificate: give it as PEM/,
  ],
  [
    'a file that is not a key',
    { ...secure, REDIS_TLS_CERT_FILE: one.certFile, REDIS_TLS_KEY_FILE: garbage },
    /KEY_FILE.*garbage.*as a private key: give it as PEM/,
  ],
  [
    'an encrypted key',
    { ...secure, REDIS_TLS_CERT_FILE: one.certFile, REDIS_TLS_KEY_FILE: encrypted },
    /KEY_FILE.*encrypted\.pem is encrypted: decrypt it/,
  ],
  ['a sentinel’s password without sentinels', { REDIS_SENTINEL_PASSWORD: 'x' }, /SENTINELS/],
  [
    'a sentinel’s user without a password',
    { REDIS_SENTINELS: 'a:1', REDIS_SENTINEL_USERNAME: 'x' },
    /REDIS_SENTINEL_USERNAME.*REDIS_SENTINEL_PASSWORD/,
  ],
  ['sentinels of a Cluster', { REDIS_SENTINELS: 'a:1', REDIS_CLUSTER: 'true' }, /REDIS_SENTINELS/],
])('%s is a fault that stops the start', (_name, env, fault) => {
  expect(faultsOf(env)).toEqual([expect.stringMatching(fault)])
})

test('all faults are reported at once', () => {
  const env = { ...secure, REDIS_TLS_CA_FILE: '/nowhere', REDIS_SENTINEL_PASSWORD: 'x' }
  expect(faultsOf(env)).toHaveLength(2)
})
