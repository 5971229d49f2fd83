import {
  type AcceptanceCase,
  type CaseText,
  code,
  type Expectation,
  exactly,
  protocolDoc,
  type Source,
} from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed } from '../loose-answer.ts'
import type { Variation } from '../make-request.ts'
import { set, without } from '../order.ts'
import { UnmetPrecondition } from '../precondition.ts'

const published = protocolDoc('How real callers behave')
const ours = protocolDoc('How real callers behave', 'ours')
const cannotLearn = 'After a lost answer the payer cannot learn whether the payment succeeded.'
const noOrder = exactly('ORDER_NOT_EXIST')
const notTheirs: Expectation = {
  text: 'ORDER_NOT_EXIST or ACCESS_DENIED',
  isMet: (got) => got === 'ORDER_NOT_EXIST' || got === 'ACCESS_DENIED',
}

type InquiryCase = Omit<CaseText, 'name' | 'source'> & { source?: Source }

const inquiryCase = (
  name: string,
  text: InquiryCase,
  act: (context: CaseContext) => Promise<string>,
): AcceptanceCase => ({
  name: `inquiry/${name}`,
  source: published,
  ...text,
  act,
})

/** A wrong inquiry after a placed order. */
const wrong = (
  name: string,
  text: InquiryCase,
  variation: Variation,
  change = set('tomorrow', '1'),
): AcceptanceCase =>
  inquiryCase(name, text, async (context) => {
    const order = context.order()
    await context.placed(order)
    return (await context.inquire(change(order), variation)).code
  })

const theirs = 'Strangers learn what the payer pays, and to whom.'

export const inquiry: readonly AcceptanceCase[] = [
  inquiryCase(
    'unknown',
    {
      rule: 'An inquiry after an unknown order is answered ORDER_NOT_EXIST.',
      breaks: 'A payment that never reached the acquirer stays pending for ever.',
      expected: noOrder,
    },
    async (context) => (await context.inquire(context.order())).code,
  ),
  inquiryCase(
    'placed',
    {
      rule: "An inquiry returns the order's result with the same paymentRequestId.",
      breaks: cannotLearn,
      expected: code('SUCCESS'),
    },
    async (context) => {
      const order = context.order()
      return agreed([
        await context.placed(order),
        await context.inquire(order),
        await context.inquire(order),
      ])
    },
  ),
  inquiryCase(
    'refused',
    {
      rule: 'An inquiry after an order that was answered F returns this F, or ORDER_NOT_EXIST.',
      breaks: 'The wallet shows a refused payment as paid.',
      expected: code('INVALID_CODE'),
    },
    async (context) => {
      const order = context.order(set('codeValue', 'https://nobody.example/made/this'))
      const placed = await context.place(order)
      const answer = await context.inquire(order)
      return answer.code === 'ORDER_NOT_EXIST' ? placed.code : agreed([placed, answer])
    },
  ),
  inquiryCase(
    'after-drop',
    {
      rule: 'After a dropped connection, an inquiry and a repeat have the same result.',
      breaks: 'The wallet shows one payment, and the payer pays another.',
      expected: code('SUCCESS'),
    },
    async (context) => {
      const order = context.order()
      await context.drop(order, 'ALL')
      const answer = await context.inquireFinal(order)
      const repeated = await context.place(order)
      // The inquiry may overtake the order, and then there is none yet.
      return answer.code === 'ORDER_NOT_EXIST' ? repeated.code : agreed([answer, repeated])
    },
  ),
  inquiryCase(
    'inconsistent-repeat',
    {
      rule: "An inquiry returns the order's result, not the refusal of a repeat.",
      breaks: 'A faulty repeat undoes what the payer had paid.',
      expected: code('SUCCESS'),
    },
    async (context) => {
      const order = context.order()
      const placed = await context.placed(order)
      await context.place(set('paymentRequestId', 'ANOTHER')(order))
      return agreed([placed, await context.inquire(order)])
    },
  ),
  inquiryCase(
    'makes-nothing',
    {
      source: ours,
      rule: 'An inquiry creates no order: an order that comes after its inquiry is placed.',
      breaks: 'An early inquiry prevents the payment.',
      expected: code('SUCCESS'),
    },
    async (context) => {
      const order = context.order()
      await context.inquire(order)
      return (await context.place(order)).code
    },
  ),
  inquiryCase(
    'refused-at-the-endpoint',
    {
      source: ours,
      rule: 'A malformed message creates no order that an inquiry could find.',
      breaks: 'The wallet waits for the result of an order that does not exist.',
      expected: noOrder,
    },
    async (context) => {
      const order = context.order()
      const refused = await context.place(set('codeValue', '')(order))
      if (refused.code !== 'PARAM_ILLEGAL')
        throw new UnmetPrecondition(`"" was answered ${refused.code}`)
      return (await context.inquire(order)).code
    },
  ),
  wrong(
    'another-psp',
    {
      source: ours,
      rule: "Another wallet's inquiry does not find the order.",
      breaks: theirs,
      expected: notTheirs,
    },
    {},
    set('pspId', '9999999999999999999'),
  ),
  wrong(
    'another-acquirer',
    {
      source: ours,
      rule: 'An inquiry for another acquirer does not find the order.',
      breaks: theirs,
      expected: notTheirs,
    },
    {},
    set('acquirerId', '9999999999999999999'),
  ),
  wrong(
    'forged',
    {
      rule: 'An inquiry with a wrong signature is refused.',
      breaks: theirs,
      expected: code('INVALID_SIGNATURE'),
    },
    { signed: { time: '2020-01-01T00:00:00Z' } },
  ),
  wrong(
    'unknown-client',
    {
      rule: 'An inquiry of an unknown client is refused.',
      breaks: theirs,
      expected: code('INVALID_CLIENT'),
    },
    { clientId: 'SANDBOX_NOBODY_KNOWS_THIS' },
  ),
  wrong(
    'payment-id-missing',
    {
      rule: 'An inquiry without a paymentId is refused.',
      breaks: cannotLearn,
      expected: code('PARAM_ILLEGAL'),
    },
    {},
    without('paymentId'),
  ),
]
