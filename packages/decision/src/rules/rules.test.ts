import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import {
  anOrder,
  anOrderOf,
  factsWith,
  merchant,
  noneRecent,
  samplePolicy,
} from '../../test/sample.ts'
import { judgeRisk } from '../risk.ts'
import { compileRules, RuleFault } from './rules.ts'

const rejects = (reject: string, facts = factsWith()) => {
  const rules = compileRules([{ name: 'rule', reject }])
  expect(rules.faults).toEqual([])
  return rules.rejectedBy(facts) === 'rule'
}
const caught = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (err) {
    return err
  }
}
const faultsOf = (reject: string) => compileRules([{ name: 'rule', reject }]).faults

test.each<[string, boolean]>([
  ["order.merchant.merchantMCC in ['7995', '5411']", true],
  ["order.merchant.merchantMCC in ['7995', '6211']", false],
  ["order.pspId == '1020000000000000001' && order.customerId != ''", true],
  ["order.merchant.merchantAddress.region == 'JP'", true],
  ["order.merchant.store.storeName.startsWith('UGG')", true],
  ["order.env.userAgent.contains('Android 9')", true],
  ["order.env.userAgent.matches('(?i)android [0-9]+')", true],
  ["order.env.userAgent.matches('^Android')", false],
  ['size(order.codeValue) > 20 || order.codeValue.size() == 0', true],
  ['order.paymentAmount.value >= 100 && order.paymentAmount.value < 101', true],
  ['order.paymentAmount.value % 100 == 0 && order.paymentAmount.value / 3 == 33', true],
  ['-order.paymentAmount.value == -100', true],
  ['double(order.paymentAmount.value) * 1.5 > 149.9', true],
  ["int(order.customerId) > 210282121121 && string(order.paymentAmount.value) == '100'", true],
  ["order.paymentAmount.currency == 'CNY' ? order.paymentAmount.value > 99 : false", true],
  ["order.paymentAmount.value > {'CNY': 99, 'JPY': 1000}[order.paymentAmount.currency]", true],
  ["order.paymentAmount.currency in {'CNY': 1, 'JPY': 2}", true],
  ['merchant.kybLevel >= 2', true],
  ["'S00000000001' in merchant.stores && merchant.stores.size() == 1", true],
  ["merchant.stores.exists(s, s.endsWith('1')) && merchant.stores.all(s, s != '')", true],
  ["merchant.contracts.exists_one(c, 'CNY' in c.currencies && !has(c.until))", true],
  ["merchant.contracts.filter(c, c.status == 'ACTIVE').size() == 1", true],
  ["merchant.contracts.map(c, c.pspIds[0]) == ['*']", true],
  ["merchant.contracts[0].until == ''", true],
  ['merchant.limits.merchantDay.exists(l, l.amountMax == 90000000 && l.countMax == 5000)', true],
  ['merchant.limits.customerDay.size() == 0', true],
  ['recent.customerOrders10m >= 20', false],
  ['false || !true', false],
  ["'a' + 'b' == 'ab' && [1] + [2] == [1, 2] && [] == [] && 2 in [1, 2]", true],
])('%s comes out %s', (reject, expected) => {
  expect(rejects(reject)).toBe(expected)
})

test.each<[string, boolean]>([
  ["order.customerId == ''", true],
  ['has(order.customerId)', false],
  ["order.merchant.store.storeMCC == '7995'", false],
  ['has(order.merchant.store)', false],
  ['has(order.merchant.store.storeMCC)', false],
  ["order.settlementQuote.quotePrice == ''", true],
  ["order.env.userAgent.matches('bot')", false],
  ["order.passThroughInfo.contains('x')", false],
  ['int(order.passThroughInfo) == 0 && double(order.settlementQuote.quotePrice) == 0.0', true],
  ['merchant.stores.size() == 0 && !has(merchant.stores)', true],
  ['has(merchant.limits)', false],
  ['merchant.limits.merchantDay.exists(l, true)', false],
])('absent fields read as empty, and has() is false: %s comes out %s', (reject, expected) => {
  const { customerId: _, ...rest } = anOrder()
  const order = { ...rest, env: {}, merchant: { referenceMerchantId: merchant.merchantId } }
  const { stores: _stores, limits: _limits, ...bare } = merchant
  expect(rejects(reject, factsWith({ order, merchant: bare }))).toBe(expected)
})

test('has() is true for a present field', () => {
  expect(
    rejects('has(order.customerId) && has(order.merchant.store.storeMCC) && has(merchant.limits)'),
  ).toBe(true)
})

test('a limit that a merchant does not have reads as one nothing exceeds', () => {
  const limits = {
    perPayment: [],
    merchantDay: [{ currency: 'CNY', countMax: 5 }],
    customerDay: [],
  }
  const reject = 'merchant.limits.merchantDay.exists(l, order.paymentAmount.value > l.amountMax)'
  expect(rejects(reject, factsWith({ merchant: { ...merchant, limits } }))).toBe(false)
})

test('amounts past 64 bits are compared exactly', () => {
  const value = 10n ** 40n
  const facts = factsWith({ order: anOrderOf(value) })
  expect(rejects('order.paymentAmount.value > 9223372036854775807', facts)).toBe(true)
  expect(rejects('order.paymentAmount.value <= 9223372036854775807', facts)).toBe(false)
})

test.each([
  ['order.paymentAmount.value * 2 > 5', 'a number left 64 bits'],
  ['order.paymentAmount.value + 1 < 5', 'a number left 64 bits'],
  ['1 > 2 ||\n 1 / (recent.codeOrders1h - 0) > 1', 'a division by zero'],
  ['1 % recent.codeOrders1h > 1', 'a division by zero'],
  [
    'false ||\n int(order.merchant.merchantName) > 5',
    'a value cannot be converted at line 2, column 2',
  ],
  [
    "{'EUR': 1}[order.paymentAmount.currency] > 5",
    'no such key or place in a list at line 1, column 1',
  ],
  [
    'merchant.contracts[7].status == "ACTIVE"',
    'no such key or place in a list at line 1, column 1',
  ],
])('a rule that cannot be evaluated leaves the order undecided: %s', (reject, reason) => {
  const rules = compileRules([{ name: 'careful', reject }])
  expect(rules.faults).toEqual([])
  const facts = factsWith({ order: anOrderOf(2n ** 63n) })
  expect(() => rules.rejectedBy(facts)).toThrow(RuleFault)
  expect(() => rules.rejectedBy(facts)).toThrow(
    `risk rule careful could not be evaluated: ${reason}`,
  )
  expect(() => judgeRisk(facts, { rejectedBy: rules.rejectedBy })).toThrow(RuleFault)
})

test.each([
  'int(order.customerId) == 1',
  'double(order.codeValue) > 1.0',
  '{"a": 1}[order.customerId] == 1',
])('the reason of a rule’s fault holds no data of the order: %s', (reject) => {
  const rules = compileRules([{ name: 'rule', reject }])
  const facts = factsWith({ order: anOrder({ customerId: 'private-1', codeValue: 'private-2' }) })
  const fault = caught(() => rules.rejectedBy(facts))
  expect(fault).toBeInstanceOf(RuleFault)
  expect(inspect(fault, { depth: 10 })).not.toContain('private')
})

test('one rule that rejects is enough, even where one before it has failed', () => {
  const rules = compileRules([
    { name: 'unsure', reject: '1 / (order.paymentAmount.value - 100) > 0' },
    { name: 'sure', reject: "order.merchant.merchantMCC == '5411'" },
  ])
  expect(rules.rejectedBy(factsWith())).toBe('sure')
})

test('the first rule that rejects is named', () => {
  const rules = compileRules([
    { name: 'never', reject: 'false' },
    { name: 'first', reject: 'true' },
    { name: 'second', reject: 'true' },
  ])
  expect(rules.rejectedBy(factsWith())).toBe('first')
})

test('only counters that rules mention are used, and each rule reads its own', () => {
  const rules = compileRules([
    { name: 'customer', reject: 'recent.customerOrders10m >= 20' },
    { name: 'code', reject: 'recent.codeOrders24h > recent.merchantOrders1h' },
  ])
  expect(rules.recentUsed).toEqual(['customerOrders10m', 'codeOrders24h', 'merchantOrders1h'])
  const recent = { ...noneRecent, codeOrders24h: 8, merchantOrders1h: 7 }
  expect(rules.rejectedBy(factsWith({ recent }))).toBe('code')
  expect(rules.rejectedBy(factsWith({ recent: { ...recent, customerOrders10m: 20 } }))).toBe(
    'customer',
  )
  expect(samplePolicy.recentUsed).toEqual(['customerOrders10m'])
})

test.each<[string, RegExp]>([
  [
    'order.merchant.mcc == "7995"',
    /line 1, column 15: order\.merchant has no field mcc: there is .*merchantMCC/,
  ],
  ['has(order.merchant.mcc)', /order\.merchant has no field mcc/],
  ['has(order.constructor)', /order has no field constructor/],
  [
    'recent.customerOrders >= 20',
    /line 1, column 7: recent has no field customerOrders: there is customerOrders10m/,
  ],
  [
    'true &&\n  orders.pspId == "1"',
    /line 2, column 3: there is no orders: a rule reads order, merchant, recent/,
  ],
  ['merchant.stores.exists(s, t == "x")', /there is no t/],
  ['order.merchant == "M1"', /order\.merchant is an object: name one of its fields/],
  ['order.paymentAmount.value', /the rule gives int: it must come out true or false/],
  ['order.pspId', /the rule gives string/],
  ['[][0]', /the rule gives an unknown type/],
  ['order.paymentAmount.value == "100"', /== does not fit int and string/],
  ['order.paymentAmount > 100', /order\.paymentAmount is an object/],
  ['order.paymentAmount.value > 100.0', /> does not fit int and double: write whole numbers/],
  ['order.paymentAmount.value == 100.0', /== does not fit int and double/],
  ['order.pspId > 100', /> does not fit string and int/],
  ['order.pspId && true', /&& joins what is true or false/],
  ['!order.pspId', /! does not fit string/],
  ['order.pspId ? true : false', /what stands before \? must be true or false/],
  ['true ? 1 : "x"', /both sides of : must be of one type/],
  ['order.merchant.merchantMCC in [7995, 6211]', /in does not fit string and list of int/],
  [
    'order.merchant.merchantMCC in ["7995", 6211]',
    /the elements of a list must all be of one type/,
  ],
  ['order.merchant.merchantMCC in "7995"', /in does not fit string and string/],
  ['{"a": 1, "b": "c"}["a"] == 1', /the values of a map must all be of one type/],
  ['{true: 1}[true] == 1', /the keys of a map are texts or ints/],
  ['order.customerId == null', /nothing is null in a rule.*has\(order\.customerId\)/],
  [
    'order.paymentAmount.value > 99999999999999999999',
    /99999999999999999999 is not a 64-bit integer/,
  ],
  ['order.paymentAmount.value > 5u', /texts, ints, doubles, true and false only/],
  [
    'timestamp(order.codeValue) > timestamp("2020-01-01T00:00:00Z")',
    /there is no function timestamp: there is/,
  ],
  ['order.pspId.lower() == "x"', /there is no function lower/],
  ['dyn(order.pspId) == "x"', /there is no function dyn/],
  ['type(1) == int', /there is no function type/],
  ['google.protobuf.Struct{} == 1', /there is no message google\.protobuf\.Struct/],
  ['order.pspId.matches(order.codeValue)', /matches needs its pattern written out/],
  ['order.pspId.matches("(")', /the pattern is not one of RE2: .*missing closing/],
  ['order.pspId.matches("(?=a)")', /the pattern is not one of RE2/],
  [`order.pspId.matches("${'a'.repeat(201)}")`, /longer than 200 characters/],
  ['order.pspId.exists(c, c == "a")', /walk a list, this is string/],
  ['merchant.stores.exists(order, order == "a")', /order means something else already/],
  [
    'merchant.stores.exists(s, merchant.stores.exists(s, s == "a"))',
    /s means something else already/,
  ],
  ['merchant.contracts == merchant.contracts', /== does not fit list of object and list of object/],
  ['merchant.stores["a"] == "b"', /list of string cannot be read by string/],
  ['[1] + ["a"] == [1]', /elements are of one type/],
  ['order.pspId.value == 1', /order\.pspId has no fields, it is string/],
  ['order.pspId ==', /it is not a CEL expression: <input>:1:\d+/],
  ['"abc', /it is not a CEL expression/],
  ['', /it is not a CEL expression|it is empty/],
])('%s is found at start', (reject, fault) => {
  expect(faultsOf(reject)[0]).toMatch(fault)
  expect(faultsOf(reject)[0]).toMatch(/^risk\[0\] rule: /)
})

test('every fault of every rule is named', () => {
  const { faults } = compileRules([
    { name: 'one', reject: 'order.nope == 1 && merchant.nope == 2' },
    { name: 'fine', reject: 'true' },
    { name: 'two', reject: 'recent.nope > 3' },
  ])
  expect(faults.map((fault) => fault.slice(0, 12))).toEqual([
    'risk[0] one:',
    'risk[0] one:',
    'risk[2] two:',
  ])
})

test.each([
  [
    'walking stores within stores',
    'merchant.stores.exists(a, merchant.stores.exists(b, a + b == order.codeValue))',
  ],
  ['collecting every store', 'merchant.stores.map(s, s).size() > 3'],
  [
    'searching a long text for every store',
    'merchant.stores.exists(s, order.env.userAgent.contains(s))',
  ],
  [
    'long patterns over long texts',
    `order.env.userAgent.matches('${'a|'.repeat(99)}') || ` +
      `order.env.cookieId.matches('${'b|'.repeat(99)}')`,
  ],
])('%s could take too long, and is found at start', (_name, reject) => {
  expect(faultsOf(reject)).toEqual([
    expect.stringMatching(/the rules may take \d+ steps for one order/),
  ])
})

test('rules that are cheap each may be too many together', () => {
  const reject = 'merchant.stores.exists(s, s == order.merchant.store.referenceStoreId)'
  expect(faultsOf(reject)).toEqual([])
  const many = Array.from({ length: 50 }, (_, index) => ({ name: `r${index}`, reject }))
  expect(compileRules(many).faults).toEqual([
    expect.stringMatching(/^risk\[\d+\] r\d+: with it the rules may take/),
  ])
})

test.each([
  ['parentheses', `${'('.repeat(1_900)}true${')'.repeat(1_900)}`],
  ['lists', `${'['.repeat(1_900)}${']'.repeat(1_900)} == []`],
  ['conditions', `${'true?('.repeat(550)}true${'):true'.repeat(550)}`],
  ['sums', `${'1+'.repeat(1_900)}1 > 1`],
])('a rule nested as deep as its length allows is found at start or works: %s', (_name, reject) => {
  const rules = compileRules([{ name: 'rule', reject }])
  if (rules.faults.length === 0) expect(rules.rejectedBy(factsWith())).toBe('rule')
})

test('a rule may say how many parts it likes, and is not to nest them too deep', () => {
  expect(faultsOf(Array.from({ length: 100 }, () => "order.pspId == '1'").join(' || '))).toEqual([])
  expect(faultsOf(`${'1+'.repeat(300)}1 > 1`)[0]).toMatch(/nested deeper than 200: split the rule/)
})

test('the same order is judged the same again and again', () => {
  const rules = compileRules([
    { name: 'rule', reject: "order.env.userAgent.matches('Android') && recent.codeOrders1h < 3" },
  ])
  const facts = factsWith()
  expect(Array.from({ length: 50 }, () => rules.rejectedBy(facts))).toEqual(Array(50).fill('rule'))
})
