import type { ResultCode } from '@placeorder/protocol'
import { targetOf } from '../../client/caller.ts'
import { type Case, code, page } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import type { Make } from '../make-request.ts'
import { amounts, type Change, set } from '../order.ts'

type Cause = {
  code: ResultCode
  name: string
  rule: string
  breaks: string
  changes?: readonly Change[]
  make?: Make | ((lab: CaseContext) => Make)
}

/** Reached with what is sent alone: nothing has to be known of the acquirer but that the sample is placed. */
const causes: readonly Cause[] = [
  {
    code: 'INVALID_CLIENT',
    name: 'unknown-client',
    rule: 'A Client-Id that nobody knows is refused.',
    breaks: 'Strangers place orders that payers are then asked to pay.',
    make: { clientId: 'SANDBOX_NOBODY_KNOWS_THIS' },
  },
  {
    code: 'KEY_NOT_FOUND',
    name: 'unknown-key',
    rule: 'A keyVersion that this client has not is told apart from a wrong signature.',
    breaks: 'When Alipay+ changes its key nobody finds out why payers cannot pay.',
    make: { header: (value) => `algorithm=RSA256, keyVersion=987654, signature=${value}` },
  },
  {
    code: 'ACCESS_DENIED',
    name: 'another-acquirer',
    rule: "An order for an acquirer that is not this caller's is refused.",
    breaks: 'One caller places orders in the name of another, at the cost of its payers.',
    changes: [set('acquirerId', '9999999999999999999')],
  },
  {
    code: 'MERCHANT_NOT_REGISTERED',
    name: 'unknown-merchant',
    rule: 'An order for a merchant that is not registered is refused.',
    breaks: 'The payer pays somebody whom nobody can settle, and gets nothing for it.',
    changes: [set('merchant.referenceMerchantId', 'M-NOBODY-KNOWS-THIS')],
  },
  {
    code: 'INVALID_CODE',
    name: 'unknown-code',
    rule: 'An order for a code that nobody made is refused.',
    breaks: 'A forged sticker takes payments.',
    changes: [set('codeValue', 'https://nobody.example/made/this')],
  },
  {
    code: 'CURRENCY_NOT_SUPPORT',
    name: 'test-currency',
    rule: 'An order in XTS, the currency of ISO 4217 that is none, is refused.',
    breaks: 'The payer pays in a currency the merchant cannot be settled in.',
    changes: [amounts('100', 'XTS')],
  },
  {
    code: 'METHOD_NOT_SUPPORTED',
    name: 'get',
    rule: 'GET is refused in the words of the protocol.',
    breaks:
      'A misdirected call looks like an outage, and orders of payers wait while somebody looks for it.',
    make: { method: 'GET' },
  },
  {
    code: 'METHOD_NOT_SUPPORTED',
    name: 'put',
    rule: 'PUT is refused in the words of the protocol.',
    breaks: 'A proxy that turns POST into PUT places orders twice.',
    make: { method: 'PUT' },
  },
  {
    code: 'NO_INTERFACE_DEF',
    name: 'unknown-path',
    rule: 'A path beside placeOrder is refused in the words of the protocol.',
    breaks:
      'A wrong address looks like an outage, and orders of payers wait while somebody looks for it.',
    make: ({ setting: { who } }) => ({ url: new URL(`${targetOf(who.url)}NobodyKnows`, who.url) }),
  },
]

export const codes: readonly Case[] = causes.map(
  ({ name, rule, breaks, changes = [], make = {}, ...cause }) => ({
    name: `codes/${name}`,
    rule,
    source: page(cause.code),
    breaks,
    expected: code(cause.code),
    act: async (lab) => {
      const way = typeof make === 'function' ? make(lab) : make
      return (await lab.place(lab.order(...changes), way)).code
    },
  }),
)
