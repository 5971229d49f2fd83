import { anyBut, type Case, code, page, type Source, wire } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { type Change, set, without } from '../order.ts'

/** A text field of placeOrder.txt. `means` is what goes wrong for a payer when it does not hold what was sent. */
type Text = { path: string; max: number; required: boolean; means: string }

const texts: readonly Text[] = [
  {
    path: 'acquirerId',
    max: 64,
    required: true,
    means:
      'the payment is booked for an acquirer nobody named, and its money waits without an owner',
  },
  {
    path: 'pspId',
    max: 64,
    required: true,
    means: 'no wallet stands behind the order, and nobody can debit or refund the payer',
  },
  {
    path: 'codeValue',
    max: 512,
    required: true,
    means: 'the payer pays for a code he never scanned',
  },
  {
    path: 'paymentId',
    max: 64,
    required: true,
    means: 'a repeat cannot be told from a new order, and the payer pays twice',
  },
  {
    path: 'paymentRequestId',
    max: 64,
    required: false,
    means: 'the two sides name the payment differently, and a refund does not find it',
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
    means: 'what the wallet passes on, such as a coupon, does not reach the merchant',
  },
  {
    path: 'merchant.referenceMerchantId',
    max: 32,
    required: true,
    means: 'the payer pays a merchant who is not the one before him',
  },
]

const objects = [
  { path: 'paymentAmount', means: 'the payer is charged an amount nobody stated' },
  {
    path: 'settlementAmount',
    means: 'the merchant is settled an amount nobody stated, and disputes the payment',
  },
  { path: 'merchant', means: 'nobody knows whom the payer paid' },
  { path: 'env', means: 'risk control does not know the device, and payers are judged blindly' },
]

const sourceOf = (path: string): Source =>
  path.startsWith('merchant.') ? wire(`Body rules, ${path.split('.').at(-1)}`) : page(path)

/** A fault in a field, and that it is refused. */
function refused(path: string, means: string, fault: string, rule: string, change: Change): Case {
  return {
    name: `fields/${path.split('.').at(-1)}-${fault}`,
    rule,
    source: sourceOf(path),
    breaks: `When it is accepted, ${means}.`,
    expected: code('PARAM_ILLEGAL'),
    act: async (lab) => (await lab.place(lab.order(change))).code,
  }
}

function casesOfText({ path, max, required, means }: Text): Case[] {
  const name = path.split('.').at(-1) ?? path
  const longest = (lab: CaseContext): Change =>
    // A paymentId of full length still has to be a new one.
    set(path, path === 'paymentId' ? `${lab.order().paymentId}`.padEnd(max, 'x') : 'x'.repeat(max))
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
      breaks: `When it is refused, payers with such an order cannot pay; when it is cut, ${means}.`,
      expected: anyBut('PARAM_ILLEGAL'),
      act: async (lab) => (await lab.place(lab.order(longest(lab)))).code,
    },
  ]
}

const casesOfObject = ({ path, means }: (typeof objects)[number]): Case[] => [
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

export const fields: readonly Case[] = [
  ...texts.flatMap(casesOfText),
  ...objects.flatMap(casesOfObject),
]
