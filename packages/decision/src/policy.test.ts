import { expect, test } from 'vitest'
import { samplePolicyFile } from '../test/sample.ts'
import { compilePolicy, PolicyFault, recentUsed } from './compile-policy.ts'
import { LIMIT_AMOUNT_MAX } from './limits.ts'
import { Policy } from './policy.ts'

const limits = samplePolicyFile.limits
const http = { name: 'blocklist', after: 'code', timeoutMs: 300, url: 'http://127.0.0.1:9/check' }
const module = { name: 'own', after: 'risk', timeoutMs: 300, module: './checks/own.ts' }

/** Each fault of a policy file, as `path: message`. */
function faultsOf(changes: Record<string, unknown>): string[] {
  const { error } = Policy.safeParse({ ...samplePolicyFile, ...changes })
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

test('what is left out of a policy limits nothing and rejects nothing', () => {
  const policy = Policy.parse({ kyb: { levelMin: 0 }, limits: { timeZone: 'UTC' } })
  expect(policy).toEqual({
    kyb: { levelMin: 0, tiers: [] },
    settlementToleranceUnits: '1',
    limits: { timeZone: 'UTC', perPayment: [], merchantDay: [], customerDay: [] },
    risk: [],
    checks: [],
  })
  expect(recentUsed(compilePolicy(policy))).toEqual([])
})

test('a policy read back from its own output is the same', () => {
  const policy = Policy.parse({ ...samplePolicyFile, checks: [http, module] })
  expect(Policy.parse(policy)).toEqual(policy)
  expect(compilePolicy(policy).checks).toEqual([http, module])
})

test.each<[string, Record<string, unknown>, RegExp]>([
  ['a key that is none', { limit: {} }, /^: Unrecognized key: "limit"/],
  [
    'a kind of limit that is none',
    { limits: { ...limits, customersDay: [] } },
    /^limits: Unrecognized key: "customersDay"/,
  ],
  [
    'a member that is none',
    { limits: { ...limits, perPayment: [{ currency: 'CNY', amountMax: '1', countMax: 5 }] } },
    /^limits\.perPayment\.0: Unrecognized key: "countMax"/,
  ],
  [
    'an amount that is a number',
    { limits: { ...limits, perPayment: [{ currency: 'CNY', amountMax: 5 }] } },
    /^limits\.perPayment\.0\.amountMax: /,
  ],
  [
    'an amount with a point',
    { limits: { ...limits, perPayment: [{ currency: 'CNY', amountMax: '1.5' }] } },
    /amountMax: must be a whole number of smallest units/,
  ],
  [
    'a limit past 2^63-1',
    {
      limits: {
        ...limits,
        merchantDay: [{ currency: 'CNY', amountMax: String(LIMIT_AMOUNT_MAX + 1n) }],
      },
    },
    /^limits\.merchantDay\.0\.amountMax: is more than 9223372036854775807/,
  ],
  [
    'a count past what JSON counts exactly',
    { limits: { ...limits, merchantDay: [{ currency: 'CNY', countMax: 2 ** 53 }] } },
    /^limits\.merchantDay\.0\.countMax: /,
  ],
  [
    'a negative count',
    { limits: { ...limits, merchantDay: [{ currency: 'CNY', countMax: -1 }] } },
    /^limits\.merchantDay\.0\.countMax: /,
  ],
  [
    'a limit of nothing',
    { limits: { ...limits, customerDay: [{ currency: 'CNY' }] } },
    /^limits\.customerDay\.0: limits nothing/,
  ],
  [
    'a currency twice',
    {
      limits: {
        ...limits,
        customerDay: [
          { currency: 'CNY', countMax: 1 },
          { currency: 'CNY', countMax: 2 },
        ],
      },
    },
    /^limits\.customerDay\.1\.currency: is the second limit for CNY/,
  ],
  [
    'a currency in small letters',
    { kyb: { levelMin: 1, tiers: [{ currency: 'cny', above: '1', levelMin: 2 }] } },
    /^kyb\.tiers\.0\.currency: /,
  ],
  ['no time zone', { limits: {} }, /^limits\.timeZone: /],
  ['a tolerance of no currency', { settlementToleranceUnits: { idr: '1' } }, /{ "IDR": "100"/],
  ['a tolerance that is a number', { settlementToleranceUnits: { IDR: 100 } }, /must be smallest/],
  ['a negative tolerance', { settlementToleranceUnits: '-1' }, /^settlementToleranceUnits: /],
  [
    'two rules of one name',
    {
      risk: [
        { name: 'a', reject: 'true' },
        { name: 'a', reject: 'false' },
      ],
    },
    /^risk\.1\.name: is the second "a"/,
  ],
  [
    'a rule that is too long',
    { risk: [{ name: 'a', reject: 'true'.padEnd(4001) }] },
    /^risk\.0\.reject: /,
  ],
  [
    'a name with a space',
    { risk: [{ name: 'a b', reject: 'true' }] },
    /^risk\.0\.name: must be 1 to 64 letters/,
  ],
  [
    'a check after no stage',
    { checks: [{ ...http, after: 'limits' }] },
    /^checks\.0\.after: .*merchant/,
  ],
  [
    'a check without url or module',
    { checks: [{ name: 'a', after: 'risk', timeoutMs: 5 }] },
    /^checks\.0: needs either url or module/,
  ],
  [
    'a check with both',
    { checks: [{ ...http, module: './a.ts' }] },
    /^checks\.0: needs either url or module/,
  ],
  [
    'a check that is not over HTTP',
    { checks: [{ ...http, url: 'file:///etc/passwd' }] },
    /^checks\.0\.url: /,
  ],
  ['a check with no time', { checks: [{ ...http, timeoutMs: 0 }] }, /^checks\.0\.timeoutMs: /],
  [
    'two checks of one name',
    { checks: [http, { ...module, name: 'blocklist' }] },
    /^checks\.1\.name: is the second "blocklist"/,
  ],
])('%s is refused, and named with its place', (_name, changes, fault) => {
  expect(faultsOf(changes)).toEqual([expect.stringMatching(fault)])
})

test('every fault that only compiling finds is named at once', () => {
  const policy = {
    ...samplePolicyFile,
    limits: {
      ...limits,
      timeZone: 'Asia/Shangai',
      perPayment: [{ currency: 'CNY', amountMax: String(2n ** 63n) }],
    },
    risk: [
      { name: 'typo', reject: 'order.merchant.mcc == "1"' },
      { name: 'cut', reject: 'recent.customerOrders10m >=' },
    ],
  }
  const compiling = () => compilePolicy(policy)
  expect(compiling).toThrow(PolicyFault)
  expect(compiling).toThrow(
    /limits\.perPayment: amountMax for CNY is more than 9223372036854775807/,
  )
  expect(compiling).toThrow(
    /limits\.timeZone: there is no time zone "Asia\/Shangai" .* here perhaps "Asia\/Shanghai"/,
  )
  expect(compiling).toThrow(/risk\[0\] typo: line 1, column 15: order\.merchant has no field mcc/)
  expect(compiling).toThrow(/risk\[1\] cut: it is not a CEL expression/)
})

test('the largest limit there is can be used', () => {
  const largest = {
    currency: 'CNY',
    amountMax: String(LIMIT_AMOUNT_MAX),
    countMax: Number.MAX_SAFE_INTEGER,
  }
  const policy = compilePolicy(
    Policy.parse({ ...samplePolicyFile, limits: { ...limits, merchantDay: [largest] } }),
  )
  expect(policy.limits.merchantDay.get('CNY')).toEqual({
    amountMax: LIMIT_AMOUNT_MAX,
    countMax: Number.MAX_SAFE_INTEGER,
  })
})
