import { type AcceptanceCase, type CaseText, code, placeOrderDoc, type Source } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed } from '../loose-answer.ts'
import type { Change, Fields } from '../order.ts'

export const paidTwice = 'The payer pays twice.'
export const cannotLearn =
  'The repeat is refused, and the payer cannot learn whether the payment succeeded.'
export const paymentIdRule = placeOrderDoc('paymentId')

type OneAnswerCase = Pick<CaseText, 'rule' | 'breaks'> & { source?: Source }

/** Places an order, runs `act`, and expects one answer from all requests. */
export const oneAnswer = (
  name: string,
  { rule, breaks, source = paymentIdRule }: OneAnswerCase,
  act: (
    context: CaseContext,
    order: Fields,
  ) => Promise<Awaited<ReturnType<CaseContext['place']>>[]>,
  ...changes: Change[]
): AcceptanceCase => ({
  name: `idempotency/${name}`,
  rule,
  source,
  breaks,
  expected: code('SUCCESS'),
  act: async (context) => {
    const order = context.order(...changes)
    return agreed([await context.placed(order), ...(await act(context, order))])
  },
})

/** Copies of an order that are sent at the same moment. */
export const COPIES = 10
