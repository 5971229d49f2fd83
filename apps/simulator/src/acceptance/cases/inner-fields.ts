import { type AcceptanceCase, anyBut, code, type Expectation, protocolDoc } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { type Change, set, without } from '../order.ts'

/** The maximum length of each field; 0 where none is published. */
type Lengths = Readonly<Record<string, number>>

const address: Lengths = { state: 8, city: 32, address1: 256, address2: 256, zipCode: 32 }

/** The objects in an order (PROTOCOL.md, body rules). */
const objects = [
  {
    name: 'merchant',
    path: 'merchant',
    lengths: { merchantName: 256, merchantDisplayName: 256, merchantMCC: 0 },
  },
  { name: 'merchantAddress', path: 'merchant.merchantAddress', lengths: address },
  {
    name: 'store',
    path: 'merchant.store',
    lengths: {
      referenceStoreId: 32,
      storeName: 256,
      storeDisplayName: 0,
      storeTerminalId: 64,
      storeOperatorId: 64,
      storeMCC: 0,
    },
  },
  { name: 'storeAddress', path: 'merchant.store.storeAddress', lengths: address },
  {
    name: 'env',
    path: 'env',
    lengths: { deviceTokenId: 64, storeTerminalId: 64, clientIp: 0, userAgent: 0 },
  },
] as const

type Inner = (typeof objects)[number]

const tables: Readonly<Record<Inner['name'], string>> = {
  merchant: 'Merchant',
  merchantAddress: 'Address',
  store: 'Store',
  storeAddress: 'Address',
  env: 'Env',
}

/**
 * Sends an order for each field; returns the common code, or each field with an unexpected code.
 */
async function each(
  context: CaseContext,
  { path, lengths }: Inner,
  expected: Expectation,
  change: (path: string, max: number) => Change | undefined,
): Promise<string> {
  const region = path.endsWith('Address') ? [set(`${path}.region`, 'AU')] : []
  const all = Object.entries<number>(lengths).flatMap(([name, max]) => {
    const one = change(`${path}.${name}`, max)
    return one === undefined ? [] : [{ name, order: context.order(...region, one) }]
  })
  const answers = await Promise.all(
    all.map(async ({ name, order }) => ({ name, code: (await context.place(order)).code })),
  )
  const others = answers.filter(({ code }) => !expected.isMet(code))
  if (others.length === 0) return answers[0]?.code ?? 'nothing was sent'
  return others.map(({ name, code }) => `${name}: ${code}`).join(', ')
}

function casesOf(object: Inner): AcceptanceCase[] {
  const { name, lengths } = object
  const list = Object.keys(lengths).join(', ')
  const source = protocolDoc(`Body rules, ${tables[name]}`)
  type Faults = {
    rule: string
    breaks: string
    expected: Expectation
    change: Parameters<typeof each>[3]
  }
  const one = (fault: string, { rule, breaks, expected, change }: Faults): AcceptanceCase => ({
    name: `fields/${name}-each-${fault}`,
    rule,
    source,
    breaks,
    expected,
    act: (context) => each(context, object, expected, change),
  })
  const lost = `${name} is stored wrongly, and the payer's statement does not show whom they paid.`
  return [
    one('empty', {
      rule: `In ${name}, none of ${list} may be "".`,
      breaks: lost,
      expected: code('PARAM_ILLEGAL'),
      change: (path) => set(path, ''),
    }),
    one('number', {
      rule: `In ${name}, each of ${list} is a string: a number is refused.`,
      breaks: lost,
      expected: code('PARAM_ILLEGAL'),
      change: (path) => set(path, 5411),
    }),
    one('too-long', {
      rule: `In ${name}, no field may exceed its maximum length.`,
      breaks: lost,
      expected: code('PARAM_ILLEGAL'),
      change: (path, max) => (max === 0 ? undefined : set(path, 'x'.repeat(max + 1))),
    }),
    one('longest', {
      rule: `In ${name}, each field may have its maximum length.`,
      breaks: `Payers cannot pay where ${name} has long values.`,
      expected: anyBut('PARAM_ILLEGAL'),
      change: (path, max) => (max === 0 ? undefined : set(path, 'x'.repeat(max))),
    }),
    one('null', {
      rule: `In ${name}, each of ${list} is optional and may be null.`,
      breaks: `Payers cannot pay where ${name} has few fields.`,
      expected: anyBut('PARAM_ILLEGAL'),
      change: (path) => set(path, null),
    }),
    one('absent', {
      rule: `In ${name}, each of ${list} is optional and may be left out.`,
      breaks: `Payers cannot pay where ${name} has few fields.`,
      expected: anyBut('PARAM_ILLEGAL'),
      change: (path) => without(path),
    }),
  ]
}

/** The format of a field. */
function formed(
  name: string,
  at: string,
  rule: string,
  breaks: string,
  expected: Expectation,
  ...changes: Change[]
): AcceptanceCase {
  return {
    name: `fields/${name}`,
    rule,
    source: protocolDoc(`Body rules, ${at}`, 'sdk'),
    breaks,
    expected,
    act: async (context) => (await context.place(context.order(...changes))).code,
  }
}

const illegal = code('PARAM_ILLEGAL')
const legal = anyBut('PARAM_ILLEGAL')
const category = 'Rules for a category, such as gambling, miss its merchants or hit others.'
const abroad = 'Rules for a country miss its merchants or hit others.'
const device = 'Payers with such a device cannot pay.'

const forms: AcceptanceCase[] = [
  formed(
    'mcc-letters',
    'Merchant',
    'merchantMCC is four digits: letters are refused.',
    category,
    illegal,
    set('merchant.merchantMCC', '54AB'),
  ),
  formed(
    'mcc-short',
    'Merchant',
    'merchantMCC is four digits: three are refused.',
    category,
    illegal,
    set('merchant.merchantMCC', '541'),
  ),
  formed(
    'mcc-any',
    'Merchant',
    'merchantMCC may be any four digits, since several lists of MCCs exist.',
    'Payers cannot pay merchants whose MCC is only on another list.',
    legal,
    set('merchant.merchantMCC', '0001'),
  ),
  formed(
    'region-missing',
    'Address',
    'region is required in an address.',
    abroad,
    illegal,
    set('merchant.merchantAddress', { city: 'xxx' }),
  ),
  formed(
    'region-lower-case',
    'Address',
    'region is two capital letters of ISO 3166.',
    abroad,
    illegal,
    set('merchant.merchantAddress', { region: 'jp' }),
  ),
  formed(
    'region-alpha-3',
    'Address',
    'region is alpha-2: three letters are refused.',
    abroad,
    illegal,
    set('merchant.merchantAddress', { region: 'JPN' }),
  ),
  formed(
    'env-blank',
    'Env',
    'env may be {}: all of its fields are optional.',
    device,
    code('SUCCESS'),
    set('env', {}),
  ),
  formed(
    'env-ipv6',
    'Env',
    'clientIp may be an IPv6 address.',
    device,
    legal,
    set('env.clientIp', '2001:db8::8a2e:370:7334'),
  ),
  formed(
    'env-terminal',
    'Env',
    'terminalType may be MINI_APP and osType IOS.',
    device,
    legal,
    set('env.terminalType', 'MINI_APP'),
    set('env.osType', 'IOS'),
  ),
  formed(
    'env-kinds',
    'Env',
    'terminalType and osType may be any text.',
    device,
    legal,
    set('env.terminalType', 'POS'),
    set('env.osType', 'HARMONY'),
  ),
  formed(
    'nul',
    'U+0000',
    'A string with U+0000 is refused.',
    'The order is placed, but some databases cannot store it: nobody finds the payment again.',
    illegal,
    set('merchant.merchantName', 'UGG\0'),
  ),
]

export const innerFields: readonly AcceptanceCase[] = [...objects.flatMap(casesOf), ...forms]
