import {
  type AcceptanceCase,
  code,
  type Expectation,
  exactly,
  placeOrderDoc,
  protocolDoc,
  type Source,
} from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed, type LooseAnswer } from '../loose-answer.ts'
import { amountIn, type Fields } from '../order.ts'
import { UnmetPrecondition } from '../precondition.ts'

const ours = protocolDoc('Idempotency', 'ours')
const once = placeOrderDoc('paymentId')

/**
 * Sends an order that stays open for a while.
 *
 * @throws UnmetPrecondition when it is final at once
 */
async function openOrder(context: CaseContext): Promise<{ order: Fields; answer: LooseAnswer }> {
  const order = context.order()
  const answer = await context.send(order)
  if (answer.status !== 'U')
    throw new UnmetPrecondition(`the order was answered ${answer.code} at once`)
  return { order, answer }
}

const pendingCase = (
  name: string,
  source: Source,
  rule: string,
  breaks: string,
  expected: Expectation,
  act: (context: CaseContext) => Promise<string>,
): AcceptanceCase => ({
  name: `pending/${name}`,
  rule,
  source,
  breaks,
  expected,
  needs: 'pending',
  act,
})

const isFinalEverywhere: Expectation = {
  text: 'a code with status S or F, the same in all answers',
  isMet: (got) =>
    /^[A-Z_]+$/.test(got) && got !== 'PAYMENT_IN_PROCESS' && got !== 'UNKNOWN_EXCEPTION',
}

export const pending: readonly AcceptanceCase[] = [
  pendingCase(
    'open',
    placeOrderDoc('How to return the result'),
    'An order that is not decided in time is answered PAYMENT_IN_PROCESS or UNKNOWN_EXCEPTION.',
    'The wallet shows a final result that is not final.',
    code('PAYMENT_IN_PROCESS', 'UNKNOWN_EXCEPTION'),
    async (context) => (await openOrder(context)).answer.code,
  ),
  pendingCase(
    'inquired-while-open',
    ours,
    'An inquiry after an open order is answered PAYMENT_IN_PROCESS, not ORDER_NOT_EXIST.',
    'The wallet shows that nothing was paid, and later the payment succeeds.',
    code('PAYMENT_IN_PROCESS'),
    async (context) => {
      const { order } = await openOrder(context)
      const answer = await context.inquire(order)
      return answer.status === 'S' || (answer.status === 'F' && answer.code !== 'ORDER_NOT_EXIST')
        ? 'PAYMENT_IN_PROCESS' // It became final between the two calls, which is correct.
        : answer.code
    },
  ),
  pendingCase(
    'changed-after-u',
    once,
    'After a U, a repeat with another amount is refused.',
    'The wallet shows the payer one amount, and the merchant is credited another.',
    code('REPEAT_REQ_INCONSISTENT'),
    async (context) => {
      const { order } = await openOrder(context)
      const { more } = amountIn(order, 'paymentAmount')
      return (await context.place({ ...order, paymentAmount: more, settlementAmount: more })).code
    },
  ),
  pendingCase(
    'ends',
    ours,
    'An open order becomes final, and then repeats and inquiries agree.',
    "The payer's money stays blocked, and the merchant does not receive it.",
    isFinalEverywhere,
    async (context) => {
      const { order } = await openOrder(context)
      const repeated = await context.place(order)
      return agreed([repeated, await context.inquireFinal(order), await context.place(order)])
    },
  ),
  pendingCase(
    'ends-unasked',
    ours,
    'An open order becomes final without a repeat, and inquiries find its result.',
    'Without a repeat the payer never learns whether the payment succeeded.',
    isFinalEverywhere,
    async (context) => {
      const { order } = await openOrder(context)
      const answer = await context.inquireFinal(order)
      return agreed([answer, await context.place(order)])
    },
  ),
  pendingCase(
    'copies-of-open',
    once,
    'Copies of an open order at the same moment are one order.',
    'The payer pays once for every repeat of the wallet.',
    exactly('one order'),
    async (context) => {
      const { order } = await openOrder(context)
      const answers = await context.atOnce(Array(5).fill(order))
      const got = agreed(answers)
      return isFinalEverywhere.isMet(got) ? 'one order' : got
    },
  ),
]
