import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { answerCodesIn } from '../../test/answer-codes-in.ts'
import { path, signedHeaders, testServer } from '../../test/test-server.ts'
import type { SentAnswer } from '../reply.ts'

const answered: SentAnswer[] = []
const body = JSON.stringify(aPlaceOrder())
const app = testServer({ onAnswer: (answer) => answered.push(answer) })
const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
afterAll(() => app.close())

/** Returns what comes back for bytes until the other end closes. */
async function send(bytes: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(port) })
  socket.write(bytes)
  return text(socket)
}

test.each([
  [
    'an unknown method',
    'FROB /place HTTP/1.1\r\n\r\n',
    '/place',
    'METHOD_NOT_SUPPORTED',
    'HPE_INVALID_METHOD',
  ],
  [
    'CONNECT',
    'CONNECT pay.example:443 HTTP/1.1\r\nHost: a\r\n\r\n',
    '/',
    'METHOD_NOT_SUPPORTED',
    'CONNECT',
  ],
  [
    'an invalid header',
    'POST /place HTTP/1.1\r\nno header\r\n\r\n',
    '/place',
    'PARAM_ILLEGAL',
    'HPE_INVALID_HEADER_TOKEN',
  ],
  [
    'a header without end',
    `POST /place HTTP/1.1\r\nA: ${'x'.repeat(20_000)}`,
    '/place',
    'PARAM_ILLEGAL',
    'HPE_HEADER_OVERFLOW',
  ],
])('%s is answered, signed and counted', async (_what, bytes, target, code, reason) => {
  expect(answerCodesIn(await send(bytes), target)).toEqual([code])
  expect(answered.at(-1)).toMatchObject({ endpoint: 'none', code, reason })
})

test('of a target in absolute form, path and query are signed', async () => {
  const target = `${path}?a=1`
  const lines = Object.entries(signedHeaders({ target, body })).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const head = [
    `POST http://pay.example${target} HTTP/1.1`,
    'Connection: close',
    `Content-Length: ${body.length}`,
  ].join('\r\n')
  expect(
    answerCodesIn(await send(`${head}\r\n${lines.join('\r\n')}\r\n\r\n${body}`), target),
  ).toEqual(['SUCCESS'])
})

test.each([
  ['GET', `http://pay.example${path}`, path, 'METHOD_NOT_SUPPORTED'],
  ['POST', 'HTTP://pay.example/nowhere', '/nowhere', 'NO_INTERFACE_DEF'],
  ['POST', 'http://pay.example', '/', 'NO_INTERFACE_DEF'],
  ['OPTIONS', '*', '/', 'NO_INTERFACE_DEF'],
  ['POST', '/refund?{"refundRequestId":"1"}', '/', 'NO_INTERFACE_DEF'],
  ['POST', '/refund?\u00fc', '/', 'PARAM_ILLEGAL'],
  ['POST', '/place\tOrder', '/', 'PARAM_ILLEGAL'],
  ['FROB', '/refund?{"refundRequestId":"1"}', '/', 'METHOD_NOT_SUPPORTED'],
])('%s %s is answered for %s: %s', async (method, target, signed, code) => {
  expect(
    answerCodesIn(await send(`${method} ${target} HTTP/1.1\r\nConnection: close\r\n\r\n`), signed),
  ).toEqual([code])
})

test('a connection stays usable after a body that was not read', async () => {
  const unread = 'x'.repeat(100_000)
  const head = 'POST /nowhere HTTP/1.1\r\nContent-Type: application/json\r\n'
  const first = `${head}Content-Length: ${unread.length}\r\n\r\n${unread}`
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n`
  const last = 'DELETE /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n'
  expect(answerCodesIn(await send(first + chunked + last), '/nowhere')).toEqual(
    Array(3).fill('NO_INTERFACE_DEF'),
  )
})
