import { aPlaceOrder } from '@placeorder/testkit'
import type { Random } from '../random.ts'
import { pieces } from './raw-shots.ts'
import type { Shot } from './shot.ts'
import { type Changes, type ShotSigner, signedBytes } from './signed-bytes.ts'

const placeOrder = '/aps/api/v1/payments/placeOrder'
const inquiryOrder = '/aps/api/v1/payments/inquiryOrder'

/** What a field may be made to be; a text of JSON, so that it can be what no value is. */
const values: readonly string[] = [
  'null',
  'true',
  '0',
  '-1',
  '1e5',
  '1e999',
  '""',
  '" "',
  '"0"',
  '"00"',
  '"-1"',
  '"1.5"',
  `"${'9'.repeat(29_000)}"`,
  '"\\u0000"',
  '"\\ud800"',
  '"\u00e9\u4e2d\ud83d\ude00"',
  `"${'x'.repeat(40_000)}"`,
  '"__proto__"',
  '"P:1|2,3 {4}"',
  '"\\u001b[31m\\n"',
  '[]',
  '{}',
  '[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]',
  '{"__proto__":{"a":"b"}}',
  '{"constructor":{"prototype":{"a":"b"}}}',
  '{"value":"100","currency":"CNY"}',
  '{"value":"0","currency":"CNY"}',
  '{"value":"100","currency":"ZZZ"}',
]

/** What a whole body may be. */
const bodies: readonly string[] = ['', '{', '[]', 'null', '""', '{}{}', '\ufeff{}', '{"a":1,}']

/** The largest body of an order. */
const BODY_BYTES_MAX = 65_536

/** Requests of a known client, each signed over the bytes it has, with any structure inside. */
export function structureShot(random: Random, signing: ShotSigner): Shot {
  const count = random.whole(1, 6)
  const signed = Array.from({ length: count }, () => oneRequest(random, signing))
  return {
    kind: 'signed structure',
    port: random.chance(0.9) ? 'orders' : 'orders over TLS',
    pieces: pieces(random, Buffer.concat(signed.map(({ bytes }) => bytes))),
    requests: count,
    leaving: { how: 'end' },
    placed: [],
    answersInAll: signed.every(({ isKnown }) => isKnown),
    bare: false,
  }
}

function oneRequest(random: Random, signing: ShotSigner): { bytes: Buffer; isKnown: boolean } {
  const target = random.chance(0.8) ? placeOrder : inquiryOrder
  const body = random.chance(0.05)
    ? Buffer.from(random.pick(bodies))
    : Buffer.from(withBytes(random, structure(random)))
  const isKnown = random.chance(0.9)
  const changes = isKnown ? {} : someChange(random)
  const isWhole = body.length <= BODY_BYTES_MAX // More is not read, and so not verified.
  return { bytes: signedBytes(target, body, signing, changes), isKnown: isKnown && isWhole }
}

/** An order with up to three of its fields changed, taken away, doubled or added, at any depth. */
function structure(random: Random): string {
  const message = aPlaceOrder({
    paymentId: `A-${random.whole(0, 2 ** 31)}`,
    customerId: `C-${random.whole(0, 2 ** 31)}`,
  })
  let text = JSON.stringify(message)
  for (let left = random.whole(0, 3); left > 0; left -= 1) text = changedField(random, text)
  return text
}

/**
 * Changes one `"name":value` of a text of JSON; where the value is a whole object, only its first
 * field is in it.
 */
function changedField(random: Random, text: string): string {
  const fields = [...text.matchAll(/"\w+":(?:"[^"\\]*"|\{[^{}]*\})/g)]
  if (fields.length === 0) return text
  const { 0: field, index } = random.pick(fields)
  const name = field.slice(0, field.indexOf(':'))
  const how = random.weighted({ value: 6, less: 2, twice: 1, more: 1 })
  const made = {
    value: () => `${name}:${random.pick(values)}`,
    less: () => '"unknown":"x"',
    twice: () => `${field},${name}:${random.pick(values)}`,
    more: () => `${field},"more${random.whole(0, 9)}":${random.pick(values)}`,
  }[how]()
  return text.slice(0, index) + made + text.slice(index + field.length)
}

/** Now and then a byte that is not UTF-8, or is not JSON. */
function withBytes(random: Random, text: string): Buffer {
  const bytes = Buffer.from(text)
  if (random.chance(0.05)) bytes[random.whole(0, bytes.length - 1)] = random.whole(0, 255)
  return bytes
}

/**
 * What makes a request one of nobody: it may get the answer that strangers share, or lose its
 * connection.
 */
function someChange(random: Random): Changes {
  const how = random.weighted({ client: 1, time: 1, signature: 3, more: 1 })
  return {
    client: () => ({
      clientId: random.pick(['UNKNOWN', 'ACQ.1.{"a":"b"}', 'x'.repeat(9_000), '\u00e9']),
    }),
    time: () => ({ time: random.pick(['never', '0', '9'.repeat(300), '2026-11-31T00:00:00Z']) }),
    signature: () => ({
      signature: (good: string) =>
        random.pick([
          good.replace('keyVersion=1', `keyVersion=${'\x1b[2J'.repeat(3)}`),
          good.replace('keyVersion=1', 'keyVersion=99'),
          good.replace('RSA256', 'none'),
          good.slice(0, -random.whole(1, 300)),
          `${good}, ${good}`,
          ',='.repeat(4_000),
          '%'.repeat(500),
        ]),
    }),
    more: () => ({ more: [random.pick(['Client-Id: a', 'Signature: b', 'Accept: image/png'])] }),
  }[how]()
}
