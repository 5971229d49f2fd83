import { anyBut, type Case, code, page, wire } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { set, without } from '../order.ts'

/** PROTOCOL.md: a body is at most this large, and nests at most this deep. */
const BODY_BYTES_MAX = 65_536
const DEPTH_MAX = 16

const optional = ['paymentRequestId', 'customerId', 'settlementQuote', 'passThroughInfo']

/** An order in which a field nests so deep that the whole has `depth` levels. */
const deep = (lab: CaseContext, depth: number): string => {
  const text = JSON.stringify(lab.order())
  return `${text.slice(0, -1)},"deep":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`
}

const refuses = (
  name: string,
  what: string,
  breaks: string,
  body: (lab: CaseContext) => Buffer,
): Case => ({
  name: `structure/${name}`,
  rule: `A body that ${what} is refused.`,
  source: wire('Body rules'),
  breaks,
  expected: code('PARAM_ILLEGAL'),
  act: async (lab) => (await lab.place(body(lab))).code,
})

const guessed =
  'An order is made of what was guessed, and the payer pays for something nobody ordered.'

const bad: Case[] = [
  refuses('not-json', 'is no JSON', guessed, (lab) =>
    Buffer.from(JSON.stringify(lab.order()).slice(0, -1)),
  ),
  refuses('text-after-json', 'goes on after its JSON', guessed, (lab) =>
    Buffer.from(`${JSON.stringify(lab.order())}{}`),
  ),
  refuses('empty-body', 'is empty', guessed, () => Buffer.alloc(0)),
  refuses('array', 'is a JSON array', guessed, (lab) => Buffer.from(JSON.stringify([lab.order()]))),
  refuses('string', 'is a JSON string', guessed, (lab) =>
    Buffer.from(JSON.stringify(JSON.stringify(lab.order()))),
  ),
  refuses(
    'not-utf8',
    'is not UTF-8',
    "Names are stored with other letters than were sent: what the payer's statement shows is not whom he paid.",
    (lab) =>
      Buffer.from(JSON.stringify(lab.order(set('merchant.merchantName', 'Caf\u00e9'))), 'latin1'),
  ),
]

const ours: Case[] = [
  {
    name: 'structure/too-deep',
    rule: `A body that nests deeper than ${DEPTH_MAX} is refused.`,
    source: wire('Body rules', 'ours'),
    breaks: 'One message keeps the parser of every payer busy, or ends its process.',
    expected: code('PARAM_ILLEGAL'),
    act: async (lab) => (await lab.place(Buffer.from(deep(lab, 20_000)))).code,
  },
  {
    name: 'structure/too-large',
    rule: `A body of more than ${BODY_BYTES_MAX / 1024} KiB is refused.`,
    source: wire('Body rules', 'ours'),
    breaks: 'A few large messages take the memory that the orders of all payers need.',
    expected: code('PARAM_ILLEGAL'),
    act: async (lab) => (await lab.place(lab.order(set('more', 'x'.repeat(BODY_BYTES_MAX))))).code,
  },
  {
    name: 'structure/poison',
    rule: 'A body that names __proto__ is refused, and orders after it are judged as before.',
    source: wire('Body rules', 'ours'),
    breaks: 'Whoever can send one message changes how the orders of all payers are judged.',
    expected: code('PARAM_ILLEGAL'),
    act: async (lab) => {
      const text = JSON.stringify(lab.order())
      const told = await lab.place(
        Buffer.from(`${text.slice(0, -1)},"__proto__":{"codeValue":"x"}}`),
      )
      await lab.placed(lab.order())
      return told.code
    },
  },
]

const good: Case[] = [
  {
    name: 'structure/sample',
    rule: 'The sample is placed: SUCCESS, with a paymentRequestId.',
    source: page('Response'),
    breaks: 'Nobody can pay at all. Most other cases build on this one.',
    expected: code('SUCCESS'),
    act: async (lab) => {
      const told = await lab.place(lab.order())
      return told.code === 'SUCCESS' && !told.paymentRequestId
        ? 'SUCCESS without paymentRequestId'
        : told.code
    },
  },
  {
    name: 'structure/unknown-fields',
    rule: 'Fields that nobody knows yet are accepted and ignored, on every level.',
    source: wire('Body rules'),
    breaks: 'On the day Alipay+ adds a field no payer can pay any more.',
    expected: code('SUCCESS'),
    act: async (lab) => {
      const nested = set('merchant.tomorrow', { more: '1' })
      return (await lab.place(lab.order(set('tomorrow', '1'), nested, set('env.tomorrow', ['1']))))
        .code
    },
  },
  {
    name: 'structure/field-order',
    rule: 'Fields may stand in any order.',
    source: page('Structure'),
    breaks: 'Orders of callers that write their fields in another order are refused.',
    expected: code('SUCCESS'),
    act: async (lab) =>
      (await lab.place(Object.fromEntries(Object.entries(lab.order()).reverse()))).code,
  },
  {
    name: 'structure/optional-null',
    rule: 'Optional fields may be null.',
    source: page('Structure'),
    breaks: 'Payers whose wallet sends null instead of leaving a field out cannot pay.',
    expected: code('SUCCESS'),
    act: async (lab) =>
      (await lab.place(lab.order(...optional.map((name) => set(name, null))))).code,
  },
  {
    name: 'structure/optional-absent',
    rule: 'Optional fields may be left out.',
    source: page('Structure'),
    breaks: 'Payers whose wallet sends no more than it has to cannot pay.',
    expected: code('SUCCESS'),
    act: async (lab) => (await lab.place(lab.order(...optional.map((name) => without(name))))).code,
  },
  {
    name: 'structure/any-script',
    rule: 'Names may be written in any script, and with signs outside of the basic plane.',
    source: wire('Body rules'),
    breaks: 'A payer cannot pay a merchant whose name is not written in Latin letters.',
    expected: code('SUCCESS'),
    act: async (lab) =>
      (await lab.place(lab.order(set('merchant.merchantName', '喫茶店 Ünïcode ☕️ 𠮷野家')))).code,
  },
  {
    name: 'structure/characters-counted',
    rule: 'Lengths are counted in characters: 256 signs outside of the basic plane are a merchantName, not too many.',
    source: wire('Body rules'),
    breaks: 'A payer cannot pay a merchant whose name is long only when its bytes are counted.',
    expected: anyBut('PARAM_ILLEGAL'),
    act: async (lab) =>
      (await lab.place(lab.order(set('merchant.merchantName', '𠮷'.repeat(256))))).code,
  },
]

export const structure: readonly Case[] = [...good, ...bad, ...ours]
