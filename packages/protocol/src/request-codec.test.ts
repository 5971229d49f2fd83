import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PlaceOrderRequest } from './place-order.ts'
import { packRequest, unpackRequest } from './request-codec.ts'

const sample = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../config/sample-order.json'), 'utf8'),
)

const text = fc.string({ unit: 'binary', maxLength: 40 })
const some = (...names: string[]) => Object.fromEntries(names.map((name) => [name, text]))
const part = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(fields, { requiredKeys: [] })

/** User agents with phrases, and with the characters that stand for them. */
const userAgent = fc
  .array(
    fc.oneof(
      text,
      fc.constantFrom(...sample.env.userAgent.split(/(?=[ (;/])/), '\x7f', '\x80', '\x8a', '\x9f'),
    ),
  )
  .map((words) => words.join(''))

const amount = fc.record(some('value', 'currency'))
const address = part(some('region', 'state', 'city', 'address1', 'address2', 'zipCode'))
const store = part({
  ...some('referenceStoreId', 'storeName', 'storeMCC', 'storeDisplayName', 'storeTerminalId'),
  ...some('storeOperatorId', 'storePhoneNo'),
  storeAddress: address,
})
const order = part({
  ...some(
    'acquirerId',
    'pspId',
    'codeValue',
    'paymentId',
    'paymentRequestId',
    'customerId',
    'passThroughInfo',
  ),
  paymentAmount: amount,
  settlementAmount: amount,
  settlementQuote: part({
    ...some('quoteId', 'quoteCurrencyPair', 'quotePrice', 'quoteStartTime', 'quoteExpiryTime'),
    ...some('baseCurrency', 'quoteUnit', 'guaranteed'),
  }),
  merchant: part({
    ...some(
      'referenceMerchantId',
      'merchantName',
      'merchantMCC',
      'merchantDisplayName',
      'merchantRegisterDate',
    ),
    merchantAddress: address,
    store,
  }),
  env: part({
    ...some('terminalType', 'osType', 'deviceTokenId', 'clientIp', 'cookieId', 'storeTerminalId'),
    ...some('storeTerminalRequestTime', 'extendInfo'),
    userAgent,
  }),
}).map(
  (order) =>
    ({
      acquirerId: '',
      paymentId: '',
      merchant: {},
      env: {},
      ...order,
    }) as unknown as PlaceOrderRequest,
)

test('any order is unpacked as it was packed', () => {
  fc.assert(
    fc.property(order, (order) => {
      expect(unpackRequest(packRequest(order), order)).toEqual(order)
    }),
    { numRuns: 500 },
  )
})

test('the sample is packed into less than half of its bytes', () => {
  expect(Buffer.byteLength(packRequest(sample))).toBeLessThan(JSON.stringify(sample).length / 2)
})

test('a packed request of this version is still read', () => {
  const kept =
    '3["1020000000000000001","281004132828992222233",0,["100","CNY"],' +
    '["100","USD"],["M00000000001","UGG"],' +
    '["\\u00809; MI 9\\u0081X\\u00829\\u0083 x\\u009f\\u0080",0,"ANDROID"]]'
  expect(unpackRequest(kept, { acquirerId: 'A:1', paymentId: '20101234567890132' })).toEqual({
    acquirerId: 'A:1',
    pspId: '1020000000000000001',
    codeValue: '281004132828992222233',
    paymentId: '20101234567890132',
    paymentAmount: { value: '100', currency: 'CNY' },
    settlementAmount: { value: '100', currency: 'USD' },
    merchant: { referenceMerchantId: 'M00000000001', merchantName: 'UGG' },
    env: {
      userAgent:
        'Mozilla/5.0 (Linux; Android 9; MI 9 Build/X; wv) AppleWebKit/537.36 (KHTML, like Gecko) ' +
        'Version/4.0 Chrome/9 Mobile Safari/537.36 x\x80',
      osType: 'ANDROID',
    },
  })
})

test('a damaged or unknown packed request is refused', () => {
  const packed = packRequest(sample)
  const names = { acquirerId: '1', paymentId: '1' }
  expect(() => unpackRequest(`9${packed.slice(1)}`, names)).toThrow('version')
  expect(() => unpackRequest(packed.slice(0, 40), names)).toThrow()
  expect(() => unpackRequest('', names)).toThrow()
  expect(() => unpackRequest('3{}', names)).toThrow('fields')
  expect(() => unpackRequest('3[["x"]]', names)).toThrow('text')
  expect(() =>
    unpackRequest(packed.replace('"]', '","x","x","x","x","x","x","x","x"]'), names),
  ).toThrow('fields')
  expect(() => unpackRequest(packed.replace('\x80', '\x9e'), names)).toThrow('phrase')
})
