import { PlaceOrderRequest } from '@placeorder/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { anOrder, factsWith, merchant } from '../../test/sample.ts'
import { compileRules, RuleFault } from './rules.ts'
import type { RecordType, RuleType } from './type.ts'
import { variables } from './vocabulary.ts'

/** Every field a rule can read, with an expression over it that is true or false. */
function everyReading({ fields }: RecordType, path = ''): string[] {
  return Object.entries(fields).flatMap(([name, type]) => {
    const field = path === '' ? name : `${path}.${name}`
    const has = path === '' ? [] : [`has(${field})`]
    return type.kind === 'record'
      ? [...has, ...everyReading(type, field)]
      : [...has, comparison(field, type)]
  })
}

function comparison(field: string, type: RuleType): string {
  if (type.kind === 'int') return `${field} < 0`
  if (type.kind === 'list' && type.element?.kind === 'record') {
    const [name = ''] = Object.keys(type.element.fields)
    return `${field}.exists(e, has(e.${name}) && size(e.${name}) == 0)`
  }
  return type.kind === 'list' ? `'x' in ${field}` : `${field} == 'x'`
}

const bareOrder = {
  ...anOrder({
    customerId: undefined,
    merchant: { referenceMerchantId: merchant.merchantId },
    env: {},
  }),
}
const { stores: _, limits: __, ...bareMerchant } = merchant

test('every field can be read of every order and merchant, also where it is absent', () => {
  const readings = everyReading(variables)
  expect(readings).toContain("order.merchant.store.storeAddress.zipCode == 'x'")
  expect(readings).toContain('recent.merchantOrders24h < 0')
  for (const reject of readings) {
    const rules = compileRules([{ name: 'rule', reject }])
    expect(rules.faults).toEqual([])
    for (const facts of [factsWith(), factsWith({ order: bareOrder, merchant: bareMerchant })]) {
      expect(['rule', undefined]).toContain(rules.rejectedBy(facts))
    }
  }
})

/**
 * Every text of an order: how long rules take it to be at most, and what the request's schema says
 * of it.
 */
function everyText(
  { fields }: RecordType,
  schema: z.core.JSONSchema.BaseSchema,
  path = 'order',
): { path: string; charactersMax: number; said: z.core.JSONSchema.BaseSchema }[] {
  return Object.entries(fields).flatMap(([name, type]) => {
    const field = schema.properties?.[name]
    // Optional: this, or null.
    const said = typeof field === 'object' ? (field.anyOf?.[0] ?? field) : undefined
    if (typeof said !== 'object') throw new Error(`a request has no ${path}.${name}`)
    if (type.kind === 'record') return everyText(type, said, `${path}.${name}`)
    return type.kind === 'string'
      ? [{ path: `${path}.${name}`, charactersMax: type.charactersMax, said }]
      : []
  })
}

test('no text of an order is longer than the cost of a rule assumes', () => {
  const { order } = variables.fields
  if (order?.kind !== 'record') throw new Error('rules do not see an order')
  const texts = everyText(order, z.toJSONSchema(PlaceOrderRequest, { io: 'input' }))
  const ofAnyForm = texts.filter(
    ({ said }) => said.type === 'string' && !said.pattern && !said.enum,
  )
  expect(ofAnyForm.map(({ path }) => path)).toContain('order.env.clientIp')
  for (const { path, charactersMax, said } of ofAnyForm)
    expect({ path, charactersMax }).toEqual({ path, charactersMax: said.maxLength ?? 65_536 })
})

const words = [
  ...[
    'order',
    'merchant',
    'recent',
    '.',
    'paymentAmount',
    'value',
    'stores',
    'contracts',
    'customerOrders10m',
    'x',
  ],
  ...[
    'exists(x, ',
    'map(x, ',
    'filter(x, ',
    'has(',
    'size(',
    'matches("a")',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '?',
  ],
  ...[
    '==',
    '!=',
    '<',
    '>=',
    '+',
    '-',
    '*',
    '/',
    '%',
    '&&',
    '||',
    '!',
    'in',
    '1',
    '0',
    '2.5',
    '"a"',
    'true',
    'null',
    'b"z"',
  ],
]

test('any text for a rule is refused at start, or comes out true, false or undecided', () => {
  const texts = fc
    .array(fc.constantFrom(...words), { maxLength: 14 })
    .map((parts) => parts.join(' '))
  fc.assert(
    fc.property(fc.oneof(texts, fc.string({ maxLength: 40 })), (reject) => {
      const rules = compileRules([{ name: 'rule', reject }])
      if (rules.faults.length > 0) return
      try {
        expect(['rule', undefined]).toContain(rules.rejectedBy(factsWith()))
      } catch (err) {
        expect(err).toBeInstanceOf(RuleFault)
      }
    }),
    { numRuns: 3_000 },
  )
})
