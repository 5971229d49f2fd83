import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type ConnectionLimits, Connections, sourceOf } from './connections.ts'

const opened: { server: Server; connections: Connections }[] = []
afterEach(() => {
  for (const { server, connections } of opened.splice(0)) {
    server.close()
    connections.destroyAll()
  }
})

async function listen(limits: Partial<ConnectionLimits>) {
  const reasons: string[] = []
  const connections = new Connections(
    { max: 100, perAddressMax: 100, isProxy: () => false, ...limits },
    (reason) => reasons.push(reason),
  )
  const server = createServer((_request, response) => response.end())
  connections.watch(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push({ server, connections })
  return { port: (server.address() as AddressInfo).port, reasons }
}

/**
 * Connects and sends a request. Returns whether that was answered; an answered connection stays
 * open.
 */
async function ask(port: number, from = '127.0.0.1'): Promise<{ socket: Socket; isOpen: boolean }> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.on('error', () => {})
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const answered = once(socket, 'data').then(() => true)
  return { socket, isOpen: await Promise.race([answered, once(socket, 'close').then(() => false)]) }
}

test('one address has no more connections than its bound; others have their own', async () => {
  const { port, reasons } = await listen({ perAddressMax: 2 })
  const [first] = [await ask(port), await ask(port)]
  expect((await ask(port)).isOpen).toBe(false)
  expect(reasons).toEqual(['2 connections of one address are open'])
  expect((await ask(port, '127.0.0.2')).isOpen).toBe(true)
  first?.socket.destroy()
  await expect.poll(async () => (await ask(port)).isOpen).toBe(true)
})

test('a proxy may have more connections than an address, but not than all', async () => {
  const isProxy = (address: string) => address === '127.0.0.1'
  const { port, reasons } = await listen({ max: 3, perAddressMax: 1, isProxy })
  for (let count = 0; count < 3; count += 1) expect((await ask(port)).isOpen).toBe(true)
  expect((await ask(port)).isOpen).toBe(false)
  expect(reasons).toEqual(['3 connections are open'])
})

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['::1', '0:0:0:0'],
  ['', ''],
])('the source %s is counted as %s', (address, source) => {
  expect(sourceOf(address)).toBe(source)
})
