import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAuthority } from '@placeorder/testkit'
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

const addressIn = (env: Record<string, string>) =>
  addressOf(readEnvironment(z.object(redisEnvironment), env))

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

test('certificate, key and authority are read from their files', () => {
  const { tls } = addressIn({
    REDIS_URL: 'rediss://h:6379',
    REDIS_TLS_CA_FILE: authority.certFile,
    REDIS_TLS_CERT_FILE: one.certFile,
    REDIS_TLS_KEY_FILE: one.keyFile,
  })
  expect(tls).toEqual({ ca: authority.cert, cert: one.cert, key: one.key })
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
    /CA_FILE.*garbage.*not a cert/,
  ],
  [
    'a file that is not a key',
    { ...secure, REDIS_TLS_CERT_FILE: one.certFile, REDIS_TLS_KEY_FILE: garbage },
    /KEY_FILE.*garbage.*not a private key/,
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
