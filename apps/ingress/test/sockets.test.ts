import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { aPlaceOrder, openSystem } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'

const system = await openSystem()
afterAll(() => system.close())
const ingress = await system.startIngress()
const worker = await system.startWorker()

const ports = [
  ['the ingress', ingress.origin],
  ["the ingress's admin port", ingress.admin],
  ["the worker's admin port", worker.admin],
] as const

const order = 'POST /aps/api/v1/payments/placeOrder HTTP/1.1\r\nHost: here\r\n'
const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const starts = [
  ['nothing', ''],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['CONNECT with more after it', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nand more'],
  ['CONNECT after a request', `GET /x HTTP/1.1\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`],
  ['an upgrade', `GET / HTTP/1.1\r\nHost: a\r\n${upgrade}`],
  ['an upgrade of an order', `${order}Content-Length: 2\r\n${upgrade}{}`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['half a request line', 'POST /aps/api'],
  ['half a header', `${order}Client-`],
  ['half a body', `${order}Content-Length: 9\r\n\r\n{`],
  ['a broken chunk', `${order}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
  ['an Expect: 100-continue', `${order}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`],
  ['an unknown Expect', `${order}Expect: tea\r\nContent-Length: 2\r\n\r\n{}`],
  ['an unknown method', 'FROB / HTTP/1.1\r\n\r\n'],
] as const

async function open(origin: string, bytes: string): Promise<Socket> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

/** Resets a connection at several moments: at once, some turns later, and after an answer. */
async function resetAtEveryPoint(origin: string, bytes: string): Promise<void> {
  for (const turns of [0, 1, 2, 5, 20]) {
    const socket = await open(origin, bytes)
    for (let at = 0; at < turns; at += 1) await turn()
    socket.resetAndDestroy()
  }
  const answered = await open(origin, bytes)
  await Promise.race([once(answered, 'readable'), once(answered, 'close'), turns(200)])
  answered.resetAndDestroy()
}

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await turn()
}

describe.each(ports)('%s', (_name, origin) => {
  test.each(starts)('survives %s and a reset', async (_what, bytes) => {
    await resetAtEveryPoint(origin, bytes)
    const { status } = await fetch(new URL('/livez', origin)) // The ingress answers this path too.
    expect(status).toBe(200)
  })
})

test('after all this an order is placed, and both processes exit cleanly', async () => {
  expect((await ingress.place(aPlaceOrder())).code).toBe('SUCCESS')
  for (const [, origin] of ports) for (const [, bytes] of starts) await open(origin, bytes)
  await ingress.place(aPlaceOrder())
  ingress.kill('SIGTERM')
  worker.kill('SIGTERM')
  expect(await Promise.all([ingress.exited, worker.exited])).toEqual([0, 0])
})
