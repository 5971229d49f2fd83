import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, expect, test } from 'vitest'
import { codeOf, testServer } from '../test/test-server.ts'
import type { Answered } from './server.ts'

const answered: Answered[] = []
const app = testServer({ onAnswer: (answer) => answered.push(answer) })
const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }))
afterAll(() => app.close())

/** What comes back for bytes, until the other end closes. */
async function send(bytes: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port: Number(port) })
  socket.write(bytes)
  return text(socket)
}

test.each([
  [
    'a method nobody knows',
    'FROB /place HTTP/1.1\r\n\r\n',
    '/place',
    'METHOD_NOT_SUPPORTED',
    'HPE_INVALID_METHOD',
  ],
  [
    'CONNECT',
    'CONNECT pay.example:443 HTTP/1.1\r\nHost: a\r\n\r\n',
    'pay.example:443',
    'METHOD_NOT_SUPPORTED',
    'CONNECT',
  ],
  [
    'a header that is none',
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
])('%s is answered and signed all the same, and counted', async (_what, bytes, target, code, reason) => {
  const [head = '', body = ''] = (await send(bytes)).split('\r\n\r\n')
  const [status = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  const response = { statusCode: Number(status.split(' ')[1]), headers, rawPayload: Buffer.from(body) }
  expect(codeOf(response, target)).toBe(code)
  expect(answered.at(-1)).toMatchObject({ door: 'none', code, reason })
})
