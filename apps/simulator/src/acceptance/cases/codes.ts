import type { ResultCode } from '@placeorder/protocol'
import { requestTarget } from '../../client/place-order-client.ts'
import { type AcceptanceCase, code, placeOrderDoc } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import type { Variation } from '../make-request.ts'
import { amounts, type Change, set } from '../order.ts'

type Cause = {
  code: ResultCode
  name: string
  rule: string
  breaks: string
  changes?: readonly Change[]
  variation?: Variation | ((context: CaseContext) => Variation)
}

/** Codes that a request alone provokes at any acquirer that places the sample. */
const causes: readonly Cause[] = [
  {
    code: 'INVALID_CLIENT',
    name: 'unknown-client',
    rule: 'An unknown Client-Id is refused.',
    breaks: 'Strangers place orders that payers are then asked to pay.',
    variation: { clientId: 'SANDBOX_NOBODY_KNOWS_THIS' },
  },
  {
    code: 'KEY_NOT_FOUND',
    name: 'unknown-key',
    rule: 'An unknown keyVersion of a known client is not answered as a wrong signature.',
    breaks: 'After a key change of Alipay+ nobody finds out why payers cannot pay.',
    variation: { header: (value) => `algorithm=RSA256, keyVersion=987654, signature=${value}` },
  },
  {
    code: 'ACCESS_DENIED',
    name: 'another-acquirer',
    rule: 'An order with the acquirerId of another acquirer is refused.',
    breaks: 'One caller places orders in the name of another, and the payers of that one pay.',
    changes: [set('acquirerId', '9999999999999999999')],
  },
  {
    code: 'MERCHANT_NOT_REGISTERED',
    name: 'unknown-merchant',
    rule: 'An order for a merchant that is not registered is refused.',
    breaks: 'The payer pays a merchant who never receives the money, and gets nothing for it.',
    changes: [set('merchant.referenceMerchantId', 'M-NOBODY-KNOWS-THIS')],
  },
  {
    code: 'INVALID_CODE',
    name: 'unknown-code',
    rule: 'An order for an unknown code is refused.',
    breaks: 'Payers pay for a forged code, such as a sticker over the real one.',
    changes: [set('codeValue', 'https://nobody.example/made/this')],
  },
  {
    code: 'CURRENCY_NOT_SUPPORT',
    name: 'test-currency',
    rule: 'An order in XTS, the code that ISO 4217 reserves for tests, is refused.',
    breaks: 'The payer pays in a currency in which the merchant cannot be settled.',
    changes: [amounts('100', 'XTS')],
  },
  {
    code: 'METHOD_NOT_SUPPORTED',
    name: 'get',
    rule: 'GET is refused with a signed answer of the protocol.',
    breaks:
      'A call with a wrong method looks like an outage, and payers wait while somebody debugs it.',
    variation: { method: 'GET' },
  },
  {
    code: 'METHOD_NOT_SUPPORTED',
    name: 'put',
    rule: 'PUT is refused with a signed answer of the protocol.',
    breaks: 'A proxy that turns POST into PUT places orders twice.',
    variation: { method: 'PUT' },
  },
  {
    code: 'NO_INTERFACE_DEF',
    name: 'unknown-path',
    rule: 'An unknown path is refused with a signed answer of the protocol.',
    breaks: 'A wrong URL looks like an outage, and payers wait while somebody debugs it.',
    variation: ({ setting: { config } }) => ({
      url: new URL(`${requestTarget(config.url)}NobodyKnows`, config.url),
    }),
  },
]

export const codes: readonly AcceptanceCase[] = causes.map(
  ({ name, rule, breaks, changes = [], variation = {}, ...cause }) => ({
    name: `codes/${name}`,
    rule,
    source: placeOrderDoc(cause.code),
    breaks,
    expected: code(cause.code),
    act: async (context) => {
      const options = typeof variation === 'function' ? variation(context) : variation
      return (await context.place(context.order(...changes), options)).code
    },
  }),
)
