import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { smallestUnits } from './amount.ts'
import { InquiryOrderRequest } from './inquiry-order.ts'
import { parseBody } from './parse-body.ts'
import { amountsIn, PlaceOrderRequest, termsOf } from './place-order.ts'
import { Refusal } from './refusal.ts'

const sample = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../config/sample-order.json'), 'utf8'),
)
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))

/** The sample with the value at a path changed; undefined leaves it out. */
function withAt(path: string, value: unknown): unknown {
  const order = structuredClone(full)
  const names = path.split('.')
  const last = names.pop() ?? ''
  const parent = names.reduce<Record<string, unknown>>(
    (at, name) => at[name] as Record<string, unknown>,
    order,
  )
  if (value === undefined) delete parent[last]
  else parent[last] = value
  return order
}

const address = { region: 'JP', state: 'X', city: 'x', address1: 'x', address2: 'x', zipCode: '1' }
const full: Record<string, unknown> = {
  ...sample,
  paymentRequestId: 'R-1',
  passThroughInfo: '{}',
  settlementQuote: {
    quoteId: 'Q',
    quoteCurrencyPair: 'USD/KRW',
    quotePrice: '1.5',
    quoteStartTime: '2025-01-01T00:00:00Z',
    quoteExpiryTime: '2025-01-02T00:00:00+08:00',
    baseCurrency: 'USD',
    quoteUnit: '1',
    guaranteed: 'true',
  },
  merchant: {
    ...sample.merchant,
    merchantDisplayName: 'UGG',
    merchantRegisterDate: '2020-01-01',
    merchantAddress: address,
    store: {
      ...sample.merchant.store,
      storeDisplayName: 'x',
      storeTerminalId: 'x',
      storeOperatorId: 'x',
      storePhoneNo: '1',
      storeAddress: address,
    },
  },
  env: {
    terminalType: 'APP',
    osType: 'IOS',
    userAgent: 'x',
    deviceTokenId: 'x',
    clientIp: '2001:db8::1',
    cookieId: 'x',
    storeTerminalId: 'x',
    storeTerminalRequestTime: '2025-01-01T00:00:00Z',
    extendInfo: '{}',
  },
}

/**
 * Every text field: its path, its longest length, whether it is required. Lengths as in
 * placeOrder.txt and PROTOCOL.md.
 */
const fields: [path: string, max: number, required: boolean][] = [
  ['acquirerId', 64, true],
  ['pspId', 64, true],
  ['codeValue', 512, true],
  ['paymentId', 64, true],
  ['paymentRequestId', 64, false],
  ['customerId', 64, false],
  ['passThroughInfo', 2000, false],
  ['settlementQuote.quoteId', 64, false],
  ['settlementQuote.quoteCurrencyPair', 16, false],
  ['merchant.referenceMerchantId', 32, true],
  ['merchant.merchantName', 256, false],
  ['merchant.merchantDisplayName', 256, false],
  ['merchant.store.referenceStoreId', 32, false],
  ['merchant.store.storeName', 256, false],
  ['merchant.store.storeTerminalId', 64, false],
  ['merchant.store.storeOperatorId', 64, false],
  ['merchant.merchantAddress.state', 8, false],
  ['merchant.merchantAddress.city', 32, false],
  ['merchant.merchantAddress.address1', 256, false],
  ['merchant.merchantAddress.address2', 256, false],
  ['merchant.merchantAddress.zipCode', 32, false],
  ['merchant.store.storeAddress.city', 32, false],
  ['env.deviceTokenId', 64, false],
  ['env.storeTerminalId', 64, false],
]
const others: [path: string, required: boolean][] = [
  ['paymentAmount', true],
  ['paymentAmount.value', true],
  ['paymentAmount.currency', true],
  ['settlementAmount', true],
  ['settlementAmount.value', true],
  ['settlementAmount.currency', true],
  ['settlementQuote', false],
  ['settlementQuote.quotePrice', false],
  ['settlementQuote.quoteStartTime', false],
  ['settlementQuote.quoteExpiryTime', false],
  ['settlementQuote.guaranteed', false],
  ['merchant', true],
  ['merchant.merchantMCC', false],
  ['merchant.merchantAddress', false],
  ['merchant.merchantAddress.region', true],
  ['merchant.store', false],
  ['merchant.store.storeMCC', false],
  ['env', true],
  ['env.terminalType', false],
  ['env.osType', false],
  ['env.userAgent', false],
  ['env.clientIp', false],
  ['env.extendInfo', false],
]

/** Texts without a published length. */
const unbounded = [
  'settlementQuote.quoteStartTime',
  'settlementQuote.quoteExpiryTime',
  'settlementQuote.baseCurrency',
  'settlementQuote.quoteUnit',
  'merchant.merchantRegisterDate',
  'merchant.store.storeDisplayName',
  'merchant.store.storePhoneNo',
  'env.userAgent',
  'env.clientIp',
  'env.cookieId',
  'env.storeTerminalRequestTime',
  'env.extendInfo',
]

const refusalOf = (body: Uint8Array): string | undefined => {
  try {
    parseBody(PlaceOrderRequest, body)
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal)
    expect((error as Refusal).code).toBe('PARAM_ILLEGAL')
    return (error as Refusal).message
  }
}
const good = (value: unknown) => expect(refusalOf(bytes(value))).toBeUndefined()
const bad = (value: unknown, path: string) => expect(refusalOf(bytes(value))).toContain(path)

test('the sample of placeOrder.txt, and a request with every field, are good', () => {
  good(sample)
  good(full)
  expect(parseBody(PlaceOrderRequest, bytes(sample))).toEqual(sample)
})

describe.each(fields)('%s', (path, max, required) => {
  test(`may have 1 to ${max} characters, counted as code points`, () => {
    good(withAt(path, 'x'))
    good(withAt(path, 'x'.repeat(max)))
    good(withAt(path, '😀'.repeat(max)))
    bad(withAt(path, 'x'.repeat(max + 1)), path)
    bad(withAt(path, '😀'.repeat(max + 1)), path)
  })
  test('is a string, and not empty', () => {
    for (const value of ['', 1, true, {}, [], ['x']]) bad(withAt(path, value), path)
  })
  test(required ? 'is required' : 'may be absent or null, which is the same', () => {
    if (required) {
      bad(withAt(path, undefined), path)
      bad(withAt(path, null), path)
      return
    }
    const absent = parseBody(PlaceOrderRequest, bytes(withAt(path, undefined)))
    expect(parseBody(PlaceOrderRequest, bytes(withAt(path, null)))).toEqual(absent)
  })
})

describe.each(others)('%s', (path, required) => {
  test('is not empty, nor of another type', () => {
    bad(withAt(path, ''), path)
    bad(withAt(path, []), path)
  })
  test(required ? 'is required' : 'may be absent or null', () => {
    if (required) {
      bad(withAt(path, undefined), path)
      bad(withAt(path, null), path)
      return
    }
    good(withAt(path, undefined))
    good(withAt(path, null))
  })
})

test.each(unbounded)('%s is bounded by the body alone', (path) => {
  good(withAt(path, 'x'.repeat(60_000)))
  bad(withAt(path, ''), path)
})

describe('amounts', () => {
  test.each(['-1', '1.5', '1e3', '01', '+1', ' 1', '', '0x1', '１', 'NaN', '00'])(
    '"%s" is not a whole number',
    (value) => {
      bad(withAt('paymentAmount.value', value), 'paymentAmount.value')
    },
  )
  test.each([1, 1.5, null, true, {}])('%j is not a string', (value) => {
    bad(withAt('paymentAmount.value', value), 'paymentAmount.value')
  })
  test('"0" is well-formed', () => good(withAt('paymentAmount.value', '0')))
  test('any number of digits is kept to the last', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 60n }), (units) => {
        const order = parseBody(
          PlaceOrderRequest,
          bytes(withAt('paymentAmount.value', String(units))),
        )
        expect(smallestUnits(order.paymentAmount)).toBe(units)
      }),
    )
  })
  test.each(['cny', 'CN', 'CNYX', '156', ''])('"%s" is not a currency', (currency) => {
    bad(withAt('paymentAmount.currency', currency), 'paymentAmount.currency')
  })
})

describe('the quote', () => {
  const settled = { ...sample, settlementAmount: { value: '14', currency: 'USD' } }
  test('is required when the currencies differ', () => {
    bad(settled, 'settlementQuote')
    bad({ ...settled, settlementQuote: null }, 'settlementQuote')
    good({ ...settled, settlementQuote: { quotePrice: '0.14' } })
  })
  test.each([
    [0.14, '0.14'],
    [7.1e-7, '0.00000071'],
    [1e21, '1000000000000000000000'],
    [1.5e22, '15000000000000000000000'],
    [5, '5'],
    ['0.140', '0.140'],
    ['6.13E-5', '0.0000613'],
    ['6.13e-05', '0.0000613'],
    ['+1.5', '1.5'],
    ['.5', '0.5'],
    ['5.', '5'],
    ['007.10', '7.10'],
    ['1e3', '1000'],
    ['1.5E+2', '150'],
    ['12.34e1', '123.4'],
    ['1E-0', '1'],
    ['0.00061E2', '0.061'],
    [`0.${'1'.repeat(55)}`, `0.${'1'.repeat(55)}`],
  ])('price %j is %s', (quotePrice, plain) => {
    const order = parseBody(
      PlaceOrderRequest,
      bytes({ ...settled, settlementQuote: { quotePrice, guaranteed: true } }),
    )
    expect(order.settlementQuote).toEqual({ quotePrice: plain, guaranteed: 'true' })
  })
  test.each([
    '2025-02-20T08:51:49Z',
    '2025-02-20T08:51:49.123+08:00',
    '2025-02-20T08:51:49+0800',
    '2025-02-20T08:51:49+08',
    '2025-02-20T08:51:49',
    '2025-02-20',
  ])('may begin and end at %s', (time) => {
    const settlementQuote = { quotePrice: '0.14', quoteStartTime: time, quoteExpiryTime: time }
    const order = parseBody(PlaceOrderRequest, bytes({ ...settled, settlementQuote }))
    expect(order.settlementQuote).toEqual(settlementQuote)
  })
  test.each([true, false, 'true', 'True', 'Y'])('may be guaranteed %j', (guaranteed) => {
    const { settlementQuote } = parseBody(
      PlaceOrderRequest,
      bytes({ ...settled, settlementQuote: { quotePrice: '0.14', guaranteed } }),
    )
    expect(settlementQuote?.guaranteed).toBe(String(guaranteed))
  })
  const none = [0, -1, '0', '0.0', '-1', '0E5', '-1e3', '1e', 'e5', '.', '1e99', '1e-999999999']
  const notEven = [
    '1e1e1',
    '1,5',
    'x',
    '',
    '0x10',
    'NaN',
    'Infinity',
    '1 000',
    '１.５',
    '1e9999999999',
  ]
  test.each([...none, ...notEven])('price %j is refused', (quotePrice) => {
    bad({ ...settled, settlementQuote: { quotePrice } }, 'settlementQuote.quotePrice')
  })
})

test.each(['HARMONY', 'iOS', 'POS', 'KaiOS 2.5', '鸿蒙'])('a device may be of kind %s', (kind) => {
  good({ ...sample, env: { terminalType: kind, osType: kind } })
})

describe('a text with U+0000', () => {
  test.each<[string, object]>([
    ['in a name', { merchant: { ...sample.merchant, merchantName: 'a\0' } }],
    ['in an id', { paymentId: '\0' }],
    ['after backslashes', { passThroughInfo: '\\\\\0' }],
    ['in a field nobody knows', { tomorrow: ['\0'] }],
    ['in the name of a field', { '\0': '1' }],
  ])('%s is refused', (_where, change) => {
    expect(() => parseBody(PlaceOrderRequest, bytes({ ...sample, ...change }))).toThrow(/U\+0000/)
  })
  test('is not one where the backslash is escaped', () => {
    good({ ...sample, passThroughInfo: '\\u0000 and \\\\u0000' })
  })
})

describe('bodies', () => {
  test.each<[string, Uint8Array]>([
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{"a":')],
    ['an array', bytes([sample])],
    ['a text', bytes('order')],
    ['null', bytes(null)],
    ['bytes that are not UTF-8', Buffer.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d)],
    ['half a character', Buffer.from('{"a":"\u00e9"}').subarray(0, 7)],
    ['17 levels', Buffer.from(`${'{"a":'.repeat(17)}1${'}'.repeat(17)}`)],
    ['a million levels', Buffer.from('['.repeat(1_000_000))],
    ['__proto__', Buffer.from(JSON.stringify(sample).replace('{', '{"__proto__":{"a":"1"},'))],
    [
      'an escaped __proto__',
      Buffer.from(JSON.stringify(sample).replace('{', '{"\\u005f_proto__":{"a":"1"},')),
    ],
    [
      'constructor.prototype',
      Buffer.from(JSON.stringify(sample).replace('{', '{"constructor":{"prototype":{}},')),
    ],
  ])('with %s are refused', (_name, body) => {
    expect(refusalOf(body)).toBeDefined()
  })
  test('a byte order mark is ignored', () => {
    expect(refusalOf(Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), bytes(sample)]))).toBeUndefined()
  })
  test('brackets in texts do not count as levels', () =>
    good({ ...sample, passThroughInfo: '{["\\"'.repeat(20) }))
  test('16 levels are read, and unknown fields ignored', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(15)}"x"${'}'.repeat(15)}`)
    expect(parseBody(PlaceOrderRequest, bytes({ ...sample, newField: deep }))).toEqual(sample)
  })
  test('a refusal names every faulty path, and never a value', () => {
    const reason =
      refusalOf(bytes({ ...sample, pspId: '', customerId: 'secret-customer'.repeat(9) })) ?? ''
    expect(reason).toContain('pspId')
    expect(reason).toContain('customerId')
    expect(reason).not.toContain('secret')
  })
  test('any bytes and any JSON are read or refused', () => {
    fc.assert(fc.property(fc.uint8Array(), (body) => void refusalOf(body)))
    fc.assert(fc.property(fc.json(), (text) => void refusalOf(Buffer.from(text))))
  })
})

describe('terms', () => {
  const terms = (change: object) =>
    termsOf(parseBody(PlaceOrderRequest, bytes({ ...sample, ...change })))
  test('are equal when the three compared parameters are, absent and null alike', () => {
    expect(
      terms({
        paymentRequestId: null,
        env: {},
        codeValue: 'x',
        merchant: { referenceMerchantId: 'x' },
      }),
    ).toBe(terms({}))
  })
  test.each([
    { paymentRequestId: 'R-1' },
    { paymentAmount: { value: '101', currency: 'CNY' } },
    { settlementAmount: { value: '1001', currency: 'CNY' } },
  ])('differ with %j', (change) => expect(terms(change)).not.toBe(terms({})))

  test.each([{}, { paymentRequestId: 'R-1' }, { paymentRequestId: 'R 1' }])(
    'have the amounts, with %j',
    (change) => {
      const { paymentAmount, settlementAmount } = sample
      expect(amountsIn(terms(change))).toEqual({ paymentAmount, settlementAmount })
    },
  )
})

test.each([
  'paymentId',
  'codeValue',
  'customerId',
  'paymentRequestId',
  'merchant.referenceMerchantId',
])('an id with half of a surrogate pair is refused: %s', (path) => {
  const half = bytes(withAt(path, 'half \ud800'))
  expect(() => parseBody(PlaceOrderRequest, half)).toThrow(`${path} is not well-formed Unicode`)
})

test('a display name may end in the middle of a surrogate pair', () => {
  expect(() =>
    parseBody(PlaceOrderRequest, bytes(withAt('merchant.merchantName', 'half \ud800'))),
  ).not.toThrow()
})

test('an inquiry names acquirer, psp and order', () => {
  const inquiry = { acquirerId: 'A', pspId: 'P', paymentId: '1' }
  expect(parseBody(InquiryOrderRequest, bytes({ ...inquiry, more: 1 }))).toEqual(inquiry)
  expect(() => parseBody(InquiryOrderRequest, bytes({ ...inquiry, paymentId: '' }))).toThrow(
    Refusal,
  )
})
