import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liveTls } from './tls.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-tls-'))
const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
// An RSA key would allow ciphers without forward secrecy.
const rsa = ['-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile, '-out', certFile]
execFileSync('openssl', ['req', '-x509', '-subj', '/CN=ours', ...rsa], { stdio: 'ignore' })
const files = { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, TLS_CLIENT_CA_FILE: undefined }
const tls = await liveTls(files, () => {})
if (tls === undefined) throw new Error('no certificate was named')
const server = createServer({ ...tls.current })
server.on('tlsClientError', () => {})
tls.renew(server)

beforeAll(() => once(server.listen(0, '127.0.0.1'), 'listening'))
afterAll(async () => {
  tls.close()
  server.close()
  await rm(dir, { recursive: true })
})

/** The version that a caller with this offer agrees on with us; undefined if none. */
async function agreed(offer: ConnectionOptions): Promise<string | null | undefined> {
  const { port } = server.address() as AddressInfo
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...offer })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  try {
    await once(socket, 'secureConnect')
    return socket.getProtocol()
  } catch {
    return undefined
  } finally {
    socket.destroy()
    await closed
  }
}

const old = { minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const
const only = (ciphers: string) => ({ maxVersion: 'TLSv1.2', ciphers }) as const

describe.each([
  ['at its start', async () => {}],
  ['after its files were read again', () => tls.reload()],
])('an ingress, %s', (_when, before) => {
  test.each<[string, ConnectionOptions, string | undefined]>([
    ['TLS 1.3', {}, 'TLSv1.3'],
    ['TLS 1.2 with forward secrecy', only('ECDHE-RSA-AES256-GCM-SHA384'), 'TLSv1.2'],
    ['TLS 1.2 without forward secrecy', only('AES128-GCM-SHA256:AES256-GCM-SHA384'), undefined],
    ['TLS 1.2 with SHA-1', only('ECDHE-RSA-AES128-SHA:AES128-SHA'), undefined],
    ['TLS 1.1', { ...old, maxVersion: 'TLSv1.1' }, undefined],
    ['TLS 1.0', { ...old, maxVersion: 'TLSv1' }, undefined],
  ])('that is offered %s agrees on %s', async (_what, offer, version) => {
    await before()
    expect(await agreed(offer)).toBe(version)
  })
})
