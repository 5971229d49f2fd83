import {
  type Case,
  code,
  type Expected,
  exactly,
  type Source,
  UnmetPrecondition,
  wire,
} from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed } from '../loose-answer.ts'
import type { Make } from '../make-request.ts'
import { set, without } from '../order.ts'

const published = wire('How real callers behave')
const ours = wire('How real callers behave', 'ours')
const cannotLearn = 'After a lost answer the payer cannot learn whether he paid.'
const noOrder = exactly('ORDER_NOT_EXIST')
const notTheirs: Expected = {
  words: 'ORDER_NOT_EXIST or ACCESS_DENIED',
  isMet: (got) => got === 'ORDER_NOT_EXIST' || got === 'ACCESS_DENIED',
}

type LooseAnswer = { rule: string; breaks: string; expected: Expected; source?: Source }

const asked = (
  name: string,
  told: LooseAnswer,
  act: (lab: CaseContext) => Promise<string>,
): Case => ({
  name: `inquiry/${name}`,
  source: published,
  ...told,
  act,
})

/** After a placed order, an inquiry that is wrong. */
const wrong = (name: string, told: LooseAnswer, make: Make, change = set('tomorrow', '1')): Case =>
  asked(name, told, async (lab) => {
    const order = lab.order()
    await lab.placed(order)
    return (await lab.inquire(change(order), make)).code
  })

const theirs = 'Others learn what the payer pays, and to whom.'

export const inquiry: readonly Case[] = [
  asked(
    'unknown',
    {
      rule: 'An inquiry after an order that never was is answered ORDER_NOT_EXIST.',
      breaks: 'A payment that never reached the acquirer waits for ever, and so does the payer.',
      expected: noOrder,
    },
    async (lab) => (await lab.inquire(lab.order())).code,
  ),
  asked(
    'placed',
    {
      rule: 'An inquiry after an order says what its answer said, with the same paymentRequestId.',
      breaks: cannotLearn,
      expected: code('SUCCESS'),
    },
    async (lab) => {
      const order = lab.order()
      return agreed([await lab.placed(order), await lab.inquire(order), await lab.inquire(order)])
    },
  ),
  asked(
    'refused',
    {
      rule: 'An inquiry after an order that was answered F says the same F, or that there is no order.',
      breaks: 'The wallet tells the payer that he paid what was refused.',
      expected: code('INVALID_CODE'),
    },
    async (lab) => {
      const order = lab.order(set('codeValue', 'https://nobody.example/made/this'))
      const placed = await lab.place(order)
      const told = await lab.inquire(order)
      return told.code === 'ORDER_NOT_EXIST' ? placed.code : agreed([placed, told])
    },
  ),
  asked(
    'after-drop',
    {
      rule: 'What an inquiry says of an order whose connection was dropped, the repeat says too.',
      breaks: 'The payer is told of one payment and pays another.',
      expected: code('SUCCESS'),
    },
    async (lab) => {
      const order = lab.order()
      await lab.drop(order, 'ALL')
      const told = await lab.inquireFinal(order)
      const repeated = await lab.place(order)
      // Where the inquiry was there before the order, there was none yet.
      return told.code === 'ORDER_NOT_EXIST' ? repeated.code : agreed([told, repeated])
    },
  ),
  asked(
    'inconsistent-repeat',
    {
      rule: 'An inquiry says how the order stands, not that a repeat was refused.',
      breaks: 'A faulty repeat takes away what the payer had paid.',
      expected: code('SUCCESS'),
    },
    async (lab) => {
      const order = lab.order()
      const placed = await lab.placed(order)
      await lab.place(set('paymentRequestId', 'ANOTHER')(order))
      return agreed([placed, await lab.inquire(order)])
    },
  ),
  asked(
    'makes-nothing',
    {
      source: ours,
      rule: 'An inquiry makes no order: one that was asked after before it came is placed.',
      breaks: 'The question whether he paid keeps the payer from paying.',
      expected: code('SUCCESS'),
    },
    async (lab) => {
      const order = lab.order()
      await lab.inquire(order)
      return (await lab.place(order)).code
    },
  ),
  asked(
    'refused-at-the-endpoint',
    {
      source: ours,
      rule: 'A message that was refused for its form made no order to ask after.',
      breaks: 'The wallet waits for the end of an order that never began.',
      expected: noOrder,
    },
    async (lab) => {
      const order = lab.order()
      const refused = await lab.place(set('codeValue', '')(order))
      if (refused.code !== 'PARAM_ILLEGAL')
        throw new UnmetPrecondition(`"" was answered ${refused.code}`)
      return (await lab.inquire(order)).code
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
      rule: 'An inquiry of a client that nobody knows is refused.',
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
