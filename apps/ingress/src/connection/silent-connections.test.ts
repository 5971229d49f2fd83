import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { openAuthority } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { signerOf } from '../../test/test-server.ts'
import { Connections } from './connections.ts'
import { Exchanges } from './exchanges.ts'
import { createListener, timeouts } from './raw-server.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-silence-'))
const authority = await openAuthority(dir, 'authority')
const { cert, key } = await authority.issue('ingress')
afterAll(() => rm(dir, { recursive: true }))

/** As in production, except for shorter timeouts. */
const short = {
  ...timeouts,
  handshakeTimeout: 100,
  headersTimeout: 100,
  requestTimeout: 100,
  connectionsCheckingInterval: 20,
}

const connections = new Connections(
  { max: 1_000, perAddressMax: 1_000, isProxy: () => false },
  () => {},
)
const listen = async (tls?: { cert: string; key: string }) => {
  const raw = { signer: signerOf(), waitMs: 3_000, onNonHttp: () => {}, onTlsError: () => {} }
  const server = createListener(
    () => {},
    { ...raw, tls, connections, exchanges: new Exchanges() },
    short,
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
const [plain, secure] = [await listen(), await listen({ cert, key })]
afterAll(() => {
  for (const server of [plain, secure]) server.close()
  connections.destroyAll()
})

const portOf = (server: Server) => (server.address() as AddressInfo).port
const bare = (server: Server) => connect(portOf(server), '127.0.0.1')
const overTls = () => connectTls({ host: '127.0.0.1', port: portOf(secure), ca: authority.cert })

/** A TLS record whose length is 200 bytes, of which five are sent. */
const halfHello = Buffer.from('16030100c80100', 'hex')
const order = 'POST /aps/api/v1/payments/placeOrder HTTP/1.1\r\nContent-Length: 9\r\n'

const transports: [string, Server, () => Socket][] = [
  ['TCP', plain, () => bare(plain)],
  ['TLS', secure, overTls],
  ['TCP where TLS is spoken', secure, () => bare(secure)],
]
describe.each(transports)('a connection over %s is closed in time', (over, server, open) => {
  test.each<[string, string | Buffer, string]>([
    ['sends nothing', '', ''],
    ['stops in a handshake', halfHello, 'METHOD_NOT_SUPPORTED'],
    ['stops in the headers', order, 'UNKNOWN_EXCEPTION'],
    ['stops in the body', `${order}\r\n{`, 'UNKNOWN_EXCEPTION'],
  ])('when its caller %s', async (_what, bytes, code) => {
    const socket = open()
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.on('error', () => {}) // A reset closes it, too.
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(bytes)
    await closed
    const answered = /"resultCode":"(\w+)"/.exec(received)?.[1] ?? ''
    expect(answered).toBe(over === 'TCP where TLS is spoken' ? '' : code)
    await expect
      .poll(() => promisify(server.getConnections.bind(server))(), { timeout: 10_000 })
      .toBe(0)
  })
})

test('a connection is closed even if its caller never closes its own half', async () => {
  const socket = connect({ port: portOf(secure), host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.resume()
  await once(socket, 'end')
  await expect
    .poll(() => promisify(secure.getConnections.bind(secure))(), { timeout: 10_000 })
    .toBe(0)
  socket.destroy()
})
