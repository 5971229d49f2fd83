import { type Case, code, wire } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed, type LooseAnswer } from '../loose-answer.ts'

const source = wire('How real callers behave')

const cut = (
  name: string,
  rule: string,
  breaks: string,
  act: (lab: CaseContext) => Promise<readonly LooseAnswer[]>,
): Case => ({
  name: `connections/${name}`,
  rule,
  source,
  breaks,
  expected: code('SUCCESS'),
  act: async (lab) => agreed(await act(lab)),
})

const neverLearns = 'After a broken connection the payer cannot learn whether he paid.'

/** So often a connection is dropped: what goes wrong only when it breaks at a certain moment is met by one of them. */
const DROPS = 5

export const connections: readonly Case[] = [
  cut(
    'dropped',
    'An order whose connection was dropped before the answer is placed, once, when it is sent again.',
    neverLearns,
    async (lab) => {
      const order = lab.order()
      await lab.drop(order, 'ALL')
      return lab.inTurn(order, 2)
    },
  ),
  cut(
    'dropped-often',
    `An order that was sent ${DROPS} times over connections that were dropped is one order.`,
    'The payer pays once for every broken connection.',
    async (lab) => {
      const order = lab.order()
      for (let at = 0; at < DROPS; at += 1) await lab.drop(order, 'ALL')
      return lab.inTurn(order, 2)
    },
  ),
  cut(
    'dropped-and-repeated-at-once',
    'A repeat that comes while the first, dropped, is still being decided is the same order.',
    'The payer pays twice.',
    async (lab) => {
      const order = lab.order()
      const [, told] = await Promise.all([
        lab.drop(order, 'ALL'),
        lab.atOnce([order, order, order]),
      ])
      return told
    },
  ),
  cut(
    'dropped-repeat',
    'A repeat whose connection is dropped takes nothing from the order.',
    'A payment that was confirmed to the payer is lost.',
    async (lab) => {
      const order = lab.order()
      const first = await lab.placed(order)
      for (let at = 0; at < DROPS; at += 1) await lab.drop(order, 'ALL')
      return [first, ...(await lab.inTurn(order, 2))]
    },
  ),
  cut(
    'cut-in-half',
    'An order of which only half arrived is placed when it is sent again in full.',
    neverLearns,
    async (lab) => {
      const order = lab.order()
      await lab.drop(order, 'HALF')
      return lab.inTurn(order, 2)
    },
  ),
  {
    name: 'connections/one-after-a-refusal',
    rule: 'After a refusal the connection serves on: the next order on it is placed.',
    source,
    breaks: 'One bad message breaks the connection that the orders of other payers use.',
    expected: code('SUCCESS'),
    act: async (lab) => {
      const connection = lab.connection()
      await lab.place(Buffer.from('{'), { connection })
      return (await lab.place(lab.order(), { connection })).code
    },
  },
]
