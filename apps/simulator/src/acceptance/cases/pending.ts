import {
  type Case,
  code,
  type Expected,
  exactly,
  page,
  type Source,
  UnmetPrecondition,
  wire,
} from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed, type LooseAnswer } from '../loose-answer.ts'
import { amountIn, type Fields } from '../order.ts'

const ours = wire('Idempotency', 'ours')
const once = page('paymentId')

/**
 * Sends an order that stays open for a while.
 *
 * @throws UnmetPrecondition when it is final at once
 */
async function opened(lab: CaseContext): Promise<{ order: Fields; told: LooseAnswer }> {
  const order = lab.order()
  const told = await lab.send(order)
  if (told.status !== 'U')
    throw new UnmetPrecondition(`the order was answered ${told.code} at once`)
  return { order, told }
}

const pendingCase = (
  name: string,
  source: Source,
  rule: string,
  breaks: string,
  expected: Expected,
  act: (lab: CaseContext) => Promise<string>,
): Case => ({ name: `pending/${name}`, rule, source, breaks, expected, needs: 'pending', act })

const hasEnd: Expected = {
  words: 'a code with status S or F, the same everywhere',
  isMet: (got) =>
    /^[A-Z_]+$/.test(got) && got !== 'PAYMENT_IN_PROCESS' && got !== 'UNKNOWN_EXCEPTION',
}

export const pending: readonly Case[] = [
  pendingCase(
    'open',
    page('How to return the result'),
    'An order that is not decided in time is answered U: PAYMENT_IN_PROCESS or UNKNOWN_EXCEPTION.',
    'The payer is told of an end that is not the end.',
    code('PAYMENT_IN_PROCESS', 'UNKNOWN_EXCEPTION'),
    async (lab) => (await opened(lab)).told.code,
  ),
  pendingCase(
    'inquired-while-open',
    ours,
    'An inquiry after an open order says that it is open, not that there is none.',
    'The wallet tells the payer that he did not pay, and then he has.',
    code('PAYMENT_IN_PROCESS'),
    async (lab) => {
      const { order } = await opened(lab)
      const told = await lab.inquire(order)
      return told.status === 'S' || (told.status === 'F' && told.code !== 'ORDER_NOT_EXIST')
        ? 'PAYMENT_IN_PROCESS' // It has ended between the two calls, which is no fault.
        : told.code
    },
  ),
  pendingCase(
    'changed-after-u',
    once,
    'After a U, a repeat with another amount is refused.',
    'The wallet shows the payer one amount, and the books of the merchant show another.',
    code('REPEAT_REQ_INCONSISTENT'),
    async (lab) => {
      const { order } = await opened(lab)
      const { more } = amountIn(order, 'paymentAmount')
      return (await lab.place({ ...order, paymentAmount: more, settlementAmount: more })).code
    },
  ),
  pendingCase(
    'ends',
    ours,
    'An order that was open ends, and then repeats and inquiries say the same.',
    "The money of the payer is neither his nor the merchant's.",
    hasEnd,
    async (lab) => {
      const { order } = await opened(lab)
      const repeated = await lab.place(order)
      return agreed([repeated, await lab.inquireFinal(order), await lab.place(order)])
    },
  ),
  pendingCase(
    'ends-unasked',
    ours,
    'An order that was open ends though nobody repeats it: inquiries find the end.',
    'When the caller does not come back the payer never learns whether he paid.',
    hasEnd,
    async (lab) => {
      const { order } = await opened(lab)
      const told = await lab.inquireFinal(order)
      return agreed([told, await lab.place(order)])
    },
  ),
  pendingCase(
    'copies-of-open',
    once,
    'Copies of an open order, at the same moment, are one order.',
    'The payer pays once for every time his wallet asked.',
    exactly('one order'),
    async (lab) => {
      const { order } = await opened(lab)
      const told = await lab.atOnce(Array(5).fill(order))
      const got = agreed(told)
      return hasEnd.isMet(got) ? 'one order' : got
    },
  ),
]
