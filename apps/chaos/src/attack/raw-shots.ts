import type { Random } from '../random.ts'
import { type Leaving, type Placed, type Port, ports, type Shot } from './shot.ts'

const order = 'POST /aps/api/v1/payments/placeOrder HTTP/1.1\r\nHost: here\r\n'

/** Requests at the edge of HTTP, all of them whole: a connection serves on after them. */
const whole: readonly string[] = [
  `${order}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}`,
  `${order}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
  `${order}Expect: tea\r\nContent-Length: 2\r\n\r\n{}`,
  'OPTIONS * HTTP/1.1\r\n\r\n',
  'TRACE / HTTP/1.1\r\n\r\n',
  'GET http://here/livez HTTP/1.1\r\n\r\n',
  'GET /%zz HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET / HTTP/1.1\r\nClient-Id: ACQ.2026.{"refundRequestId":"1"}\r\n\r\n',
  'GET / HTTP/1.1\r\nClient-Id: a\r\nClient-Id: b\r\n\r\n',
  'GET / HTTP/1.1\r\n\r\n',
  `${order}Content-Length: 2\r\n\r\n{}`,
  `${order}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
]

/** What leaves HTTP or breaks it. */
const attacks: readonly string[] = [
  ...whole,
  'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nand more',
  'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'POST /aps/api',
  `${order}Client-`,
  `${order}Content-Length: 9\r\n\r\n{`,
  `${order}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
  `${order}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  `${order}Content-Length: -1\r\n\r\n`,
  `${order}Content-Length: 99999999999999999999\r\n\r\n`,
  `${order}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
  `${order}Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\nTrailer: x\r\n\r\n`,
  `${order}Transfer-Encoding: chunked\r\n\r\n2;${'e'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
  `${order}A: ${'x'.repeat(20_000)}\r\n\r\n`,
  `${order}${'A: b\r\n'.repeat(2_500)}\r\n`,
  `${order}Content-Length: 70000\r\n\r\n${'x'.repeat(70_000)}`,
  'FROB / HTTP/1.1\r\n\r\n',
  'HEAD /aps/api/v1/payments/placeOrder HTTP/1.1\r\n\r\n',
  'GET /<script> HTTP/1.1\r\n\r\n',
  'GET /\u00e9\u0080 HTTP/1.1\r\n\r\n',
  'GET / HTTP/0.9\r\n\r\n',
  'GET / HTTP/1.0\r\n\r\n',
  'GET /\r\n\r\n',
  'GET / HTTP/1.1\nHost: a\n\n',
  'GET / HTTP/1.1\r\n folded: a\r\n\r\n',
  '\r\n\r\n\r\n',
  '\0',
  '}',
  '\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03',
]

/** What a change puts into the bytes of a request. */
const tokens: readonly string[] = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  ':',
  '\t',
  '\x80',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 1\r\n',
  'Expect: 100-continue\r\n',
  'HTTP/1.1',
  'GET / HTTP/1.1\r\n\r\n',
  '0\r\n\r\n',
]

/**
 * So many bytes of requests are sent at once by some: past the bound of a connection it is closed.
 */
const MANY = 320

/**
 * A connection whose start is good, orders that are placed already, and whose rest is an attack:
 * known ones, and good requests that are changed, cut or sent many times over. Any piece of it may
 * be cut anywhere.
 */
export function rawShot(random: Random, pool: readonly Placed[]): Shot {
  const port = random.weighted<Port>({
    orders: 80,
    'orders over TLS': 10,
    'ingress admin': 5,
    'worker admin': 5,
  })
  const isOrders = port === ports[0] || port === ports[1]
  const placed = isOrders ? times(random.whole(0, 3), () => random.pick(pool)) : []
  const kind = random.weighted({ known: 4, changed: 4, many: 4, bytes: 1, good: 1, bare: 1 })
  const count = random.whole(1, 6)
  const many = kind === 'many' ? random.whole(2, MANY) : 1
  const rest = {
    known: () => times(count, () => Buffer.from(random.pick(attacks), 'latin1')),
    changed: () => times(count, () => changed(random, random.pick(pool).bytes)),
    many: () => [Buffer.from(random.pick(whole).repeat(many), 'latin1')],
    bytes: () => [bytes(random, random.whole(1, 3_000))],
    good: () => [],
    bare: () => [Buffer.from(random.pick(attacks), 'latin1')],
  }[kind]()
  const all = Buffer.concat([...placed.map((one) => one.bytes), ...rest])
  return {
    kind: `raw: ${kind}`,
    port,
    pieces: pieces(random, all.subarray(0, BYTES_MAX)),
    requests: placed.length + rest.length * many,
    leaving: leaving(random),
    placed: kind === 'bare' && port === 'orders over TLS' ? [] : placed,
    answersInAll: false,
    bare: kind === 'bare',
  }
}

/** More than this is more of the same. */
const BYTES_MAX = 300_000

function leaving(random: Random): Leaving {
  const how = random.weighted({ end: 750, reset: 249, silence: 1 })
  return how === 'reset' ? { how, afterMs: random.whole(0, 30) } : { how }
}

/** Cuts bytes into one to four pieces that are sent apart. */
export function pieces(random: Random, all: Buffer): Buffer[] {
  if (random.chance(0.6)) return [all]
  const cuts = times(random.whole(1, 3), () => random.whole(0, all.length)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, at) => all.subarray(from, cuts[at] ?? all.length))
}

/**
 * Good bytes with one to four changes: a byte, a token more, a part less, a part twice, or the end
 * cut off.
 */
function changed(random: Random, good: Buffer): Buffer {
  let bytes = good
  for (let left = random.whole(1, 4); left > 0; left -= 1) {
    const at = random.whole(0, bytes.length)
    const to = Math.min(bytes.length, at + random.whole(1, 40))
    const [before, part, after] = [
      bytes.subarray(0, at),
      bytes.subarray(at, to),
      bytes.subarray(to),
    ]
    const how = random.weighted({ byte: 3, token: 3, less: 2, twice: 1, cut: 1 })
    const made = {
      byte: () => [before, Buffer.of(random.whole(0, 255)), bytes.subarray(at + 1)],
      token: () => [before, Buffer.from(random.pick(tokens), 'latin1'), part, after],
      less: () => [before, after],
      twice: () => [before, part, part, after],
      cut: () => [before],
    }[how]()
    bytes = Buffer.concat(made)
  }
  return bytes
}

const bytes = (random: Random, length: number): Buffer =>
  Buffer.from(times(length, () => random.whole(0, 255)))

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
