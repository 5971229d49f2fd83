import { anyBut, type Case, code, type Expected, wire } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { type Change, set, without } from '../order.ts'

/** Fields of each object by their greatest length; 0 where none is published. */
type Lengths = Readonly<Record<string, number>>

const address: Lengths = { state: 8, city: 32, address1: 256, address2: 256, zipCode: 32 }

/** The objects inside of an order (PROTOCOL.md, body rules). */
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

/** Sends an order for each field; gives the code all of them got, else which got what was not hoped for. */
async function each(
  lab: CaseContext,
  { path, lengths }: Inner,
  expected: Expected,
  change: (path: string, max: number) => Change | undefined,
): Promise<string> {
  const region = path.endsWith('Address') ? [set(`${path}.region`, 'AU')] : []
  const all = Object.entries<number>(lengths).flatMap(([name, max]) => {
    const one = change(`${path}.${name}`, max)
    return one === undefined ? [] : [{ name, order: lab.order(...region, one) }]
  })
  const told = await Promise.all(
    all.map(async ({ name, order }) => ({ name, code: (await lab.place(order)).code })),
  )
  const others = told.filter(({ code }) => !expected.isMet(code))
  if (others.length === 0) return told[0]?.code ?? 'nothing was sent'
  return others.map(({ name, code }) => `${name}: ${code}`).join(', ')
}

function casesOf(object: Inner): Case[] {
  const { name, lengths } = object
  const list = Object.keys(lengths).join(', ')
  const source = wire(`Body rules, ${tables[name]}`)
  type Faults = {
    rule: string
    breaks: string
    expected: Expected
    change: Parameters<typeof each>[3]
  }
  const one = (fault: string, { rule, breaks, expected, change }: Faults): Case => ({
    name: `fields/${name}-each-${fault}`,
    rule,
    source,
    breaks,
    expected,
    act: (lab) => each(lab, object, expected, change),
  })
  const lost = `What ${name} says is kept in part or wrongly, and the payer's statement does not show where he paid.`
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
      rule: `In ${name}, no field may exceed its length.`,
      breaks: lost,
      expected: code('PARAM_ILLEGAL'),
      change: (path, max) => (max === 0 ? undefined : set(path, 'x'.repeat(max + 1))),
    }),
    one('longest', {
      rule: `In ${name}, each field may have its full length.`,
      breaks: `Payers cannot pay where ${name} has long entries.`,
      expected: anyBut('PARAM_ILLEGAL'),
      change: (path, max) => (max === 0 ? undefined : set(path, 'x'.repeat(max))),
    }),
    one('null', {
      rule: `In ${name}, each of ${list} is optional and may be null.`,
      breaks: `Payers cannot pay where little is known of ${name}.`,
      expected: anyBut('PARAM_ILLEGAL'),
      change: (path) => set(path, null),
    }),
    one('absent', {
      rule: `In ${name}, each of ${list} is optional and may be left out.`,
      breaks: `Payers cannot pay where little is known of ${name}.`,
      expected: anyBut('PARAM_ILLEGAL'),
      change: (path) => without(path),
    }),
  ]
}

/** What a field's value must look like, beyond its length. */
function formed(
  name: string,
  at: string,
  rule: string,
  breaks: string,
  expected: Expected,
  ...changes: Change[]
): Case {
  return {
    name: `fields/${name}`,
    rule,
    source: wire(`Body rules, ${at}`, 'sdk'),
    breaks,
    expected,
    act: async (lab) => (await lab.place(lab.order(...changes))).code,
  }
}

const illegal = code('PARAM_ILLEGAL')
const legal = anyBut('PARAM_ILLEGAL')
const category =
  'Rules for a trade, such as gambling, do not meet its merchants, or meet the payers of others.'
const abroad = 'Rules for a country do not meet its merchants, or meet the payers of others.'
const device = 'Payers with such a device cannot pay.'

const forms: Case[] = [
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
    'merchantMCC may be any four digits, since three tables of them exist.',
    'Payers cannot pay merchants of trades that only another table knows.',
    legal,
    set('merchant.merchantMCC', '0001'),
  ),
  formed(
    'region-missing',
    'Address',
    'An address has a region.',
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
    'env may be {}: all of it is optional.',
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
    'terminalType and osType may be any text, since nothing is decided by them.',
    device,
    legal,
    set('env.terminalType', 'POS'),
    set('env.osType', 'HARMONY'),
  ),
  formed(
    'nul',
    'U+0000',
    'A text with U+0000 is refused.',
    'The order is placed, and no database stores it: nobody finds the payment again.',
    illegal,
    set('merchant.merchantName', 'UGG\0'),
  ),
]

export const innerFields: readonly Case[] = [...objects.flatMap(casesOf), ...forms]
