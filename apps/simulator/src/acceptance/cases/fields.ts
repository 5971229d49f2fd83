import {
  type AcceptanceCase,
  anyBut,
  code,
  placeOrderDoc,
  protocolDoc,
  type Source,
} from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { type Change, set, without } from '../order.ts'

/**
 * A text field of placeOrder.txt. `means` is what goes wrong for a payer when its value is wrong.
 */
type Text = { path: string; max: number; required: boolean; means: string }

const texts: readonly Text[] = [
  {
    path: 'acquirerId',
    max: 64,
    required: true,
    means: 'the payment is booked for an unknown acquirer, and nobody receives the money',
  },
  {
    path: 'pspId',
    max: 64,
    required: true,
    means: 'the order belongs to no wallet, and nobody can debit or refund the payer',
  },
  {
    path: 'codeValue',
    max: 512,
    required: true,
    means: 'the payer pays for a code that was never scanned',
  },
  {
    path: 'paymentId',
    max: 64,
    required: true,
    means: 'a repeat cannot be distinguished from a new order, and the payer pays twice',
  },
  {
    path: 'paymentRequestId',
    max: 64,
    required: false,
    means: 'the two sides have different ids for the payment, and a refund does not find it',
  },
  {
    path: 'customerId',
    max: 64,
    required: false,
    means: "one payer's limits and risk are counted for another",
  },
  {
    path: 'passThroughInfo',
    max: 2000,
    required: false,
    means: 'data of the wallet, such as a coupon, does not reach the merchant',
  },
  {
    path: 'merchant.referenceMerchantId',
    max: 32,
    required: true,
    means: 'the payer pays another merchant than the one at the till',
  },
]

const objects = [
  { path: 'paymentAmount', means: 'the payer is charged an unknown amount' },
  {
    path: 'settlementAmount',
    means: 'the merchant is settled an unknown amount, and disputes the payment',
  },
  { path: 'merchant', means: 'nobody knows whom the payer paid' },
  { path: 'env', means: 'risk control does not know the device of the payer' },
]

const sourceOf = (path: string): Source =>
  path.startsWith('merchant.')
    ? protocolDoc(`Body rules, ${path.split('.').at(-1)}`)
    : placeOrderDoc(path)

/** An order with a fault in one field, which is refused. */
function refused(
  path: string,
  means: string,
  fault: string,
  rule: string,
  change: Change,
): AcceptanceCase {
  return {
    name: `fields/${path.split('.').at(-1)}-${fault}`,
    rule,
    source: sourceOf(path),
    breaks: `If it is accepted, ${means}.`,
    expected: code('PARAM_ILLEGAL'),
    act: async (context) => (await context.place(context.order(change))).code,
  }
}

function casesOfText({ path, max, required, means }: Text): AcceptanceCase[] {
  const name = path.split('.').at(-1) ?? path
  const longest = (context: CaseContext): Change =>
    // A paymentId of full length still has to be a new one.
    set(
      path,
      path === 'paymentId' ? `${context.order().paymentId}`.padEnd(max, 'x') : 'x'.repeat(max),
    )
  return [
    ...(required
      ? [
          refused(
            path,
            means,
            'missing',
            `${name} is required: an order without it is refused.`,
            without(path),
          ),
          refused(path, means, 'null', `${name} is required: null is refused.`, set(path, null)),
        ]
      : []),
    refused(path, means, 'empty', `${name} may not be "".`, set(path, '')),
    refused(path, means, 'number', `${name} is a string: a number is refused.`, set(path, 1020)),
    refused(
      path,
      means,
      'too-long',
      `${name} has at most ${max} characters.`,
      set(path, 'x'.repeat(max + 1)),
    ),
    {
      name: `fields/${name}-longest`,
      rule: `${name} may have ${max} characters.`,
      source: sourceOf(path),
      breaks: `If it is refused, such payers cannot pay; if it is truncated, ${means}.`,
      expected: anyBut('PARAM_ILLEGAL'),
      act: async (context) => (await context.place(context.order(longest(context)))).code,
    },
  ]
}

const casesOfObject = ({ path, means }: (typeof objects)[number]): AcceptanceCase[] => [
  refused(
    path,
    means,
    'missing',
    `${path} is required: an order without it is refused.`,
    without(path),
  ),
  refused(path, means, 'null', `${path} is required: null is refused.`, set(path, null)),
  refused(path, means, 'string', `${path} is an object: a string is refused.`, set(path, 'x')),
]

export const fields: readonly AcceptanceCase[] = [
  ...texts.flatMap(casesOfText),
  ...objects.flatMap(casesOfObject),
]
