import { type AcceptanceCase, anyBut, code, placeOrderDoc, protocolDoc } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { set, without } from '../order.ts'

/** The largest body and deepest nesting (PROTOCOL.md). */
const BODY_BYTES_MAX = 65_536
const DEPTH_MAX = 16

/** Scripts, combining characters, and characters outside the Basic Multilingual Plane. */
const anyScript = '喫茶店 Ünïcode ☕️ 𠮷野家'

const optional = ['paymentRequestId', 'customerId', 'settlementQuote', 'passThroughInfo']

/** An order with a field that nests `depth` levels deep in all. */
const deep = (context: CaseContext, depth: number): string => {
  const text = JSON.stringify(context.order())
  return `${text.slice(0, -1)},"deep":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
}

const refuses = (
  name: string,
  what: string,
  breaks: string,
  body: (context: CaseContext) => Buffer,
): AcceptanceCase => ({
  name: `structure/${name}`,
  rule: `A body that ${what} is refused.`,
  source: protocolDoc('Body rules'),
  breaks,
  expected: code('PARAM_ILLEGAL'),
  act: async (context) => (await context.place(body(context))).code,
})

const guessed =
  'An unreadable message becomes an order, and the payer pays for something nobody ordered.'

const bad: AcceptanceCase[] = [
  refuses('not-json', 'is not JSON', guessed, (context) =>
    Buffer.from(JSON.stringify(context.order()).slice(0, -1)),
  ),
  refuses('text-after-json', 'has text after its JSON', guessed, (context) =>
    Buffer.from(`${JSON.stringify(context.order())}{}`),
  ),
  refuses('empty-body', 'is empty', guessed, () => Buffer.alloc(0)),
  refuses('array', 'is a JSON array', guessed, (context) =>
    Buffer.from(JSON.stringify([context.order()])),
  ),
  refuses('string', 'is a JSON string', guessed, (context) =>
    Buffer.from(JSON.stringify(JSON.stringify(context.order()))),
  ),
  refuses(
    'not-utf8',
    'is not UTF-8',
    "Names are stored garbled, and the payer's statement does not show whom they paid.",
    (context) =>
      Buffer.from(
        JSON.stringify(context.order(set('merchant.merchantName', 'Caf\u00e9'))),
        'latin1',
      ),
  ),
]

const ours: AcceptanceCase[] = [
  {
    name: 'structure/too-deep',
    rule: `A body that nests deeper than ${DEPTH_MAX} is refused.`,
    source: protocolDoc('Body rules', 'ours'),
    breaks: 'One message blocks the parser for all payers, or crashes its process.',
    expected: code('PARAM_ILLEGAL'),
    act: async (context) => (await context.place(Buffer.from(deep(context, 20_000)))).code,
  },
  {
    name: 'structure/too-large',
    rule: `A body of more than ${BODY_BYTES_MAX / 1024} KiB is refused.`,
    source: protocolDoc('Body rules', 'ours'),
    breaks: 'A few large messages exhaust the memory that the orders of all payers need.',
    expected: code('PARAM_ILLEGAL'),
    act: async (context) =>
      (await context.place(context.order(set('more', 'x'.repeat(BODY_BYTES_MAX))))).code,
  },
  {
    name: 'structure/poison',
    rule: 'A body with a __proto__ field is refused, and later orders are judged as before.',
    source: protocolDoc('Body rules', 'ours'),
    breaks: 'One message changes how the orders of all payers are judged.',
    expected: code('PARAM_ILLEGAL'),
    act: async (context) => {
      const text = JSON.stringify(context.order())
      const answer = await context.place(
        Buffer.from(`${text.slice(0, -1)},"__proto__":{"codeValue":"x"}}`),
      )
      await context.placed(context.order())
      return answer.code
    },
  },
]

const good: AcceptanceCase[] = [
  {
    name: 'structure/sample',
    rule: 'The sample is answered SUCCESS with a paymentRequestId.',
    source: placeOrderDoc('Response'),
    breaks: 'Nobody can pay at all. Most other cases depend on this one.',
    expected: code('SUCCESS'),
    act: async (context) => {
      const answer = await context.place(context.order())
      return answer.code === 'SUCCESS' && !answer.paymentRequestId
        ? 'SUCCESS without paymentRequestId'
        : answer.code
    },
  },
  {
    name: 'structure/unknown-fields',
    rule: 'Unknown fields are accepted and ignored, on every level.',
    source: protocolDoc('Body rules'),
    breaks: 'When Alipay+ adds a field, no payer can pay any more.',
    expected: code('SUCCESS'),
    act: async (context) => {
      const nested = set('merchant.tomorrow', { more: '1' })
      return (
        await context.place(context.order(set('tomorrow', '1'), nested, set('env.tomorrow', ['1'])))
      ).code
    },
  },
  {
    name: 'structure/field-order',
    rule: 'Fields may be in any order.',
    source: placeOrderDoc('Structure'),
    breaks: 'Payers of callers that order their fields differently cannot pay.',
    expected: code('SUCCESS'),
    act: async (context) =>
      (await context.place(Object.fromEntries(Object.entries(context.order()).reverse()))).code,
  },
  {
    name: 'structure/optional-null',
    rule: 'Optional fields may be null.',
    source: placeOrderDoc('Structure'),
    breaks: 'Payers whose wallet sends null for an absent field cannot pay.',
    expected: code('SUCCESS'),
    act: async (context) =>
      (await context.place(context.order(...optional.map((name) => set(name, null))))).code,
  },
  {
    name: 'structure/optional-absent',
    rule: 'Optional fields may be left out.',
    source: placeOrderDoc('Structure'),
    breaks: 'Payers whose wallet sends only required fields cannot pay.',
    expected: code('SUCCESS'),
    act: async (context) =>
      (await context.place(context.order(...optional.map((name) => without(name))))).code,
  },
  {
    name: 'structure/any-script',
    rule: 'Names may be in any script, with characters outside the Basic Multilingual Plane.',
    source: protocolDoc('Body rules'),
    breaks: 'A payer cannot pay a merchant whose name is not written in Latin letters.',
    expected: code('SUCCESS'),
    act: async (context) =>
      (await context.place(context.order(set('merchant.merchantName', anyScript)))).code,
  },
  {
    name: 'structure/characters-counted',
    rule: 'Lengths are counted in characters: merchantName may have 256, each of two UTF-16 units.',
    source: protocolDoc('Body rules'),
    breaks: 'A payer cannot pay a merchant whose name is too long only in bytes.',
    expected: anyBut('PARAM_ILLEGAL'),
    act: async (context) =>
      (await context.place(context.order(set('merchant.merchantName', '𠮷'.repeat(256))))).code,
  },
]

export const structure: readonly AcceptanceCase[] = [...good, ...bad, ...ours]
