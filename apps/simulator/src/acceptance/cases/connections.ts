import { type AcceptanceCase, code, protocolDoc } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed, type LooseAnswer } from '../loose-answer.ts'

const source = protocolDoc('How real callers behave')

const cut = (
  name: string,
  rule: string,
  breaks: string,
  act: (context: CaseContext) => Promise<readonly LooseAnswer[]>,
): AcceptanceCase => ({
  name: `connections/${name}`,
  rule,
  source,
  breaks,
  expected: code('SUCCESS'),
  act: async (context) => agreed(await act(context)),
})

const neverLearns =
  'After a broken connection the payer cannot learn whether the payment succeeded.'

/** Several drops, since a fault may need a drop at a certain moment. */
const DROPS = 5

export const connections: readonly AcceptanceCase[] = [
  cut(
    'dropped',
    'An order whose connection was dropped before the answer is placed once when it is sent again.',
    neverLearns,
    async (context) => {
      const order = context.order()
      await context.drop(order, 'ALL')
      return context.inTurn(order, 2)
    },
  ),
  cut(
    'dropped-often',
    `An order that was sent over ${DROPS} dropped connections is one order.`,
    'The payer pays once for every broken connection.',
    async (context) => {
      const order = context.order()
      for (let at = 0; at < DROPS; at += 1) await context.drop(order, 'ALL')
      return context.inTurn(order, 2)
    },
  ),
  cut(
    'dropped-and-repeated-at-once',
    'A repeat during the decision of the first, dropped request is the same order.',
    'The payer pays twice.',
    async (context) => {
      const order = context.order()
      const [, answers] = await Promise.all([
        context.drop(order, 'ALL'),
        context.atOnce([order, order, order]),
      ])
      return answers
    },
  ),
  cut(
    'dropped-repeat',
    'A repeat whose connection is dropped does not change the order.',
    'A payment that was confirmed to the payer is lost.',
    async (context) => {
      const order = context.order()
      const first = await context.placed(order)
      for (let at = 0; at < DROPS; at += 1) await context.drop(order, 'ALL')
      return [first, ...(await context.inTurn(order, 2))]
    },
  ),
  cut(
    'cut-in-half',
    'An order that arrived in half is placed when it is sent again in full.',
    neverLearns,
    async (context) => {
      const order = context.order()
      await context.drop(order, 'HALF')
      return context.inTurn(order, 2)
    },
  ),
  {
    name: 'connections/one-after-a-refusal',
    rule: 'After a refusal the connection stays usable: the next order on it is placed.',
    source,
    breaks: 'One bad message breaks a connection that the orders of other payers use.',
    expected: code('SUCCESS'),
    act: async (context) => {
      const connection = context.connection()
      await context.place(Buffer.from('{'), { connection })
      return (await context.place(context.order(), { connection })).code
    },
  },
]
