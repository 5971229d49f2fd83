import { type Case, code, page, type Source } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { agreed } from '../loose-answer.ts'
import type { Change, Fields } from '../order.ts'

export const paidTwice = 'The payer pays twice.'
export const cannotLearn = 'The repeat is refused, and the payer cannot learn whether he paid.'
export const key = page('paymentId')

type LooseAnswer = { rule: string; breaks: string; source?: Source }

/** Places an order, does something with it, and looks whether all of it got one answer. */
export const oneAnswer = (
  name: string,
  { rule, breaks, source = key }: LooseAnswer,
  act: (lab: CaseContext, order: Fields) => Promise<Awaited<ReturnType<CaseContext['place']>>[]>,
  ...changes: Change[]
): Case => ({
  name: `idempotency/${name}`,
  rule,
  source,
  breaks,
  expected: code('SUCCESS'),
  act: async (lab) => {
    const order = lab.order(...changes)
    return agreed([await lab.placed(order), ...(await act(lab, order))])
  },
})

export const COPIES = 10
