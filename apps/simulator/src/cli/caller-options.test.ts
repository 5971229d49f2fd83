import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeKeys, writeKeys } from '../../test/keys.ts'
import { recorder } from '../../test/recorder.ts'
import { SmallAcquirer } from '../../test/small-acquirer.ts'
import { command as acceptance } from '../acceptance/command.ts'
import { command as placeCommand } from '../place/command.ts'
import { callerOptions, readCallerConfig, readRunning } from './caller-options.ts'
import { readArgs } from './options.ts'

const keys = makeKeys()
let files: Awaited<ReturnType<typeof writeKeys>>
let dir: string
beforeAll(async () => {
  files = await writeKeys(keys)
  dir = await mkdtemp(join(tmpdir(), 'tls-'))
})
afterAll(async () => {
  await files[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

const read = (...args: string[]) => {
  const { values } = readArgs(['--key', files.key, ...args], callerOptions)
  return readCallerConfig(values, recorder().terminal)
}

describe('readCallerConfig', () => {
  test.each([
    ['http://a/aps/api/v1/payments/placeOrder', 'http://a/aps/api/v1/payments/inquiryOrder'],
    ['http://a/placeOrder?tenant=1', 'http://a/inquiryOrder?tenant=1'],
    ['https://a:8443/', 'https://a:8443/inquiryOrder'],
  ])('inquiries of %s go to %s', async (url, inquiryUrl) => {
    expect((await read('--url', url, '--server-key', files.serverKey)).inquiryUrl.href).toBe(
      inquiryUrl,
    )
  })

  const standard = '/aps/api/v1/payments/'
  test.each([
    ['http://a:3000', `http://a:3000${standard}placeOrder`],
    ['https://a', `https://a${standard}placeOrder`],
    ['http://[::1]:3000', `http://[::1]:3000${standard}placeOrder`],
    ['http://a?tenant=1', `http://a${standard}placeOrder?tenant=1`],
    ['http://a/', 'http://a/'],
    ['http://a/place', 'http://a/place'],
  ])('orders to %s go to %s, and inquiries to its sibling', async (url, placed) => {
    const config = await read('--url', url, '--server-key', files.serverKey)
    expect(config.url.href).toBe(placed)
    expect(config.inquiryUrl.href).toBe(new URL(`inquiryOrder${config.url.search}`, placed).href)
  })

  test.each([
    ['that of npm start while it is up', process.pid, [], 'http://127.0.0.1:4000/place'],
    ['the standard one once npm start has ended', 2 ** 22 + 1, [], 'http://127.0.0.1:3000/aps'],
    ['the one that is named', process.pid, ['--url', 'http://a/b'], 'http://a/b'],
  ])('the URL is %s', async (_what, pid, args, url) => {
    const file = join(dir, 'standalone.json')
    await writeFile(file, JSON.stringify({ pid, placeOrder: 'http://127.0.0.1:4000/place' }))
    const all = ['--key', files.key, '--server-key', files.serverKey, ...args]
    const { values } = readArgs(all, callerOptions)
    const config = await readCallerConfig(values, recorder().terminal, () => readRunning(file))
    expect(config.url.href).toContain(url)
  })

  test('an --inquiry-url without a path is the standard one', async () => {
    const named = ['--inquiry-url', 'http://b:80', '--server-key', files.serverKey]
    expect((await read(...named)).inquiryUrl.href).toBe(`http://b${standard}inquiryOrder`)
  })

  test('inquiries go where --inquiry-url says', async () => {
    const { inquiryUrl } = await read(
      ...['--inquiry-url', 'http://b/ask', '--server-key', files.serverKey],
    )
    expect(inquiryUrl.href).toBe('http://b/ask')
  })

  test('a server key that is named must exist', async () => {
    await expect(read('--server-key', join(dir, 'nowhere.pem'))).rejects.toThrow('--server-key')
  })

  test('a key that is not RSA is refused', async () => {
    const path = join(dir, 'ec.pem')
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await expect(read('--key', path)).rejects.toThrow(/--key .*ec\.pem: is not an RSA key/)
  })

  test('a key may be base64 without armour, after a byte order mark', async () => {
    const path = join(dir, 'server.pub')
    const der = keys.acquirerPublic.export({ type: 'spki', format: 'der' })
    await writeFile(path, `\uFEFF${der.toString('base64')}\r\n`)
    expect((await read('--server-key', path)).serverKey?.equals(keys.acquirerPublic)).toBe(true)
  })

  test('a private key named as the server key is refused', async () => {
    await expect(read('--server-key', files.key)).rejects.toThrow(/holds a private key/)
  })

  test('a certificate needs its key', async () => {
    await expect(read('--cert', files.key, '--server-key', files.serverKey)).rejects.toThrow(
      '--cert-key',
    )
  })
})

describe('over https', () => {
  const cert = (name: string) => join(dir, `${name}.pem`)
  const certKey = (name: string) => join(dir, `${name}.key.pem`)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
  const makeCert = (name: string) =>
    openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
      ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', certKey(name), '-out', cert(name)],
    )
  let acquirer: SmallAcquirer
  beforeAll(async () => {
    makeCert('acquirer')
    makeCert('caller')
    const tls = {
      cert: await readFile(cert('acquirer')),
      key: await readFile(certKey('acquirer')),
      ca: await readFile(cert('caller')),
      requestCert: true,
      rejectUnauthorized: true,
    }
    acquirer = await new SmallAcquirer(keys, { tls }).listen()
  })
  afterAll(() => acquirer[Symbol.asyncDispose]())

  const place = (...args: string[]) => {
    const { terminal } = recorder()
    const called = ['--url', acquirer.url.href, '--key', files.key, '--server-key', files.serverKey]
    return placeCommand.run([...called, ...args], terminal)
  }
  const clientCertificate = () => ['--cert', cert('caller'), '--cert-key', certKey('caller')]

  test('an order is placed when each side trusts the other', async () => {
    expect(await place(...clientCertificate(), '--ca', cert('acquirer'))).toBe(0)
  })

  test('acceptance cases pass over mutual TLS, dropped connections included', async () => {
    const { terminal, out } = recorder()
    const called = ['--url', acquirer.url.href, '--key', files.key, '--server-key', files.serverKey]
    const options = [
      ...clientCertificate(),
      '--ca',
      cert('acquirer'),
      '--only',
      'connections,headers/lower-case',
    ]
    expect(await acceptance.run([...called, ...options], terminal), out()).toBe(0)
  })

  test('nothing is sent to an acquirer whose certificate is unknown', async () => {
    const before = acquirer.received.length
    expect(await place(...clientCertificate())).toBe(1)
    expect(acquirer.received.length).toBe(before)
  })

  test('--insecure sends to an acquirer whose certificate is unknown', async () => {
    expect(await place(...clientCertificate(), '--insecure')).toBe(0)
  })

  test('an acquirer that wants a client certificate refuses a caller without one', async () => {
    expect(await place('--ca', cert('acquirer'))).toBe(1)
  })
})
