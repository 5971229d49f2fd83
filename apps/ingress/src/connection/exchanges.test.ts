import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { aPlaceOrder, openAuthority } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { answerCodesIn } from '../../test/answer-codes-in.ts'
import { path, signedHeaders, signerOf, testServer, testUse } from '../../test/test-server.ts'
import { SigningQueue } from '../signing/signing-queue.ts'
import { Exchanges } from './exchanges.ts'

const dir = await mkdtemp(join(tmpdir(), 'placeorder-exchanges-'))
const authority = await openAuthority(dir, 'authority')
const { cert, key } = await authority.issue('ingress')
afterAll(() => rm(dir, { recursive: true }))

/** The bytes of a valid order. */
function order(...more: string[]): string {
  const body = JSON.stringify(aPlaceOrder())
  const signed = Object.entries(signedHeaders({ body })).map(([name, value]) => `${name}: ${value}`)
  const lines = [...signed, `Content-Length: ${body.length}`, ...more]
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}
const chunked = (target: string) =>
  `POST ${target} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`

/**
 * Sends bytes, closes the caller's half or not, and returns what comes back. Orders among the bytes
 * stay in flight until the server has received what comes after them.
 */
async function send(bytes: string, { ends = false, tls = false } = {}): Promise<string> {
  const received = Promise.withResolvers<void>()
  const app = testServer({
    ...(tls ? { tls: { cert, key } } : {}),
    use: {
      ...testUse,
      intake: {
        accept: (incoming, signal) =>
          received.promise.then(() => testUse.intake.accept(incoming, signal)),
      },
    },
  })
  const release = () => received.resolve()
  app.server.on('clientError', release).on('connect', release)
  app.server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.once('end', release)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const to = { host: '127.0.0.1', port, allowHalfOpen: true }
  const socket: Duplex = tls ? connectTls({ ...to, ca: authority.cert }) : connect(to)
  try {
    if (ends) socket.end(bytes)
    else socket.write(bytes)
    return await text(socket)
  } finally {
    socket.destroy()
    await app.close()
  }
}

/** The expected answers: each its code, and its target if that is not the order's. */
type Answers = readonly (readonly [code: string, target?: string])[]
const expectAnswers = (bytes: string, answers: Answers) =>
  expect(answerCodesIn(bytes, ...answers.map(([, target = path]) => target))).toEqual(
    answers.map(([code]) => code),
  )

const latch = <T = void>() => Promise.withResolvers<T>()

const placed = ['SUCCESS'] as const
const noMethod = ['METHOD_NOT_SUPPORTED', '/'] as const
const illegal = ['PARAM_ILLEGAL', '/'] as const
const unfinished = ['UNKNOWN_EXCEPTION', '/'] as const

describe('an order in flight is answered before what comes after it', () => {
  test.each<[string, string, string, Answers]>([
    ['a byte after its Connection: close', order('Connection: close'), 'x', [placed]],
    ['an unknown method', order(), 'FROB / HTTP/1.1\r\n\r\n', [placed, noMethod]],
    ['CONNECT', order(), 'CONNECT a:1 HTTP/1.1\r\n\r\n', [placed, noMethod]],
    ['the preface of HTTP/2', order(), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [placed, illegal]],
    ['a byte more than its length', order(), '}', [placed, noMethod]],
    ['an invalid header', order(), 'POST /x HTTP/1.1\r\nno header\r\n\r\n', [placed, illegal]],
    ['a broken chunk', order(), chunked(path), [placed, ['PARAM_ILLEGAL']]],
    ['a body that is not read', order(), chunked('/x'), [placed, ['NO_INTERFACE_DEF', '/x']]],
    [
      'a header without end',
      order(),
      `POST / HTTP/1.1\r\n${'x'.repeat(20_000)}`,
      [placed, illegal],
    ],
    ['orders, and bytes', order() + order(), '\0', [placed, placed, noMethod]],
  ])('%s', async (_what, first, rest, answers) => {
    expectAnswers(await send(first + rest), answers)
  })
})

test('an order is answered before a stranger that is not signed for is cut off', async () => {
  const queue = new SigningQueue(4)
  const [signed, accepted, decided] = [latch<string>(), latch(), latch()]
  // One stranger is signed for at a time: the others wait for it, and in vain.
  const turn = { rank: 'stranger', flow: '', deadlineAt: Number.POSITIVE_INFINITY } as const
  queue.add(() => signed.promise, turn)
  const use = {
    ...testUse,
    intake: {
      accept: async (...[incoming, signal]: Parameters<typeof testUse.intake.accept>) => {
        accepted.resolve()
        await decided.promise
        return testUse.intake.accept(incoming, signal)
      },
    },
  }
  const app = testServer({ signer: signerOf(queue), use })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  const received = text(socket).catch(String)
  try {
    socket.write(order())
    await accepted.promise
    use.waitMs = 1
    socket.write('GET /x HTTP/1.1\r\n\r\n'.repeat(2))
    await expect.poll(() => queue.size, { interval: 1 }).toBe(2)
    await expect.poll(() => queue.size).toBe(1)
    decided.resolve()
    expectAnswers(await received, [placed])
  } finally {
    signed.resolve('')
    socket.destroy()
    await app.close()
  }
})

test('a server that ends waits for whole requests in flight, and for no others', async () => {
  const exchanges = new Exchanges()
  const decided = latch()
  const use = {
    ...testUse,
    intake: {
      accept: async (...[incoming, signal]: Parameters<typeof testUse.intake.accept>) => {
        await decided.promise
        return testUse.intake.accept(incoming, signal)
      },
    },
  }
  const app = testServer({ exchanges, use })
  let begun = 0
  app.addHook('onRequest', (_request, _reply, done) => {
    begun += 1
    done()
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const [whole, half] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  let received = ''
  try {
    await exchanges.answered() // Nothing is in flight.
    whole.on('data', (data) => {
      received += data.toString()
    })
    whole.write(order())
    half.write(order().slice(0, -9))
    await expect.poll(() => begun).toBe(2)
    const answered = exchanges.answered().then(() => 'answered')
    expect(await Promise.race([answered, nextTurn('in flight')])).toBe('in flight')
    decided.resolve()
    expect(await answered).toBe('answered')
    await expect.poll(() => received).not.toBe('')
    expectAnswers(received, [placed])
  } finally {
    whole.destroy()
    half.destroy()
    await app.close()
  }
})

describe.each([
  ['TCP', false],
  ['TLS', true],
])('a caller that closes its half of %s', (_over, tls) => {
  test.each<[string, string, Answers]>([
    ['after an order gets its answer', order(), [placed]],
    ['after three orders gets three', order() + order() + order(), [placed, placed, placed]],
    ['in the middle of one is answered U', order().slice(0, -9), [['UNKNOWN_EXCEPTION']]],
    ['in the middle of the next is answered U', `${order()}POST`, [placed, unfinished]],
    ['after an invalid target is answered', 'GET /\u0080 HTTP/1.1\r\n\r\n', [illegal]],
    ['after an invalid method is answered', 'FROB / HTTP/1.1\r\n\r\n', [noMethod]],
    ['after CONNECT is answered', 'CONNECT a:1 HTTP/1.1\r\n\r\n', [noMethod]],
    ['after an order and a byte gets both', `${order()}\0`, [placed, noMethod]],
    ['without sending anything gets none', '', []],
  ])('%s', async (_when, bytes, answers) => {
    expectAnswers(await send(bytes, { ends: true, tls }), answers)
  })
})
