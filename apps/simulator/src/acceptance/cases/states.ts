import { type AcceptanceCase, code, placeOrderDoc, protocolDoc } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { stateCodes } from '../fixtures.ts'
import { agreed, type LooseAnswer } from '../loose-answer.ts'
import { UnmetPrecondition } from '../precondition.ts'

type StateCode = (typeof stateCodes)[number]

/** What happens to a payer when an acquirer places such an order. */
const breaks: Readonly<Record<StateCode, string>> = {
  BUSINESS_NOT_SUPPORT:
    'The payer pays in a way that the merchant does not offer, and gets nothing for it.',
  EXPIRED_CODE: 'The payer pays a bill that is no longer open.',
  INVALID_CONTRACT: 'The payer pays a merchant whom the acquirer must not settle.',
  INVALID_MERCHANT_STATUS: 'The payer pays a merchant who was suspended, for instance for fraud.',
  MERCHANT_KYB_NOT_QUALIFIED: 'The payer pays a merchant whose identity was not checked.',
  ORDER_IS_CLOSED: 'The payer pays a bill that is already paid.',
  PAYMENT_AMOUNT_EXCEED_LIMIT: 'A payer loses more in one payment than the limit permits.',
  PAYMENT_COUNT_EXCEED_LIMIT: 'A stolen wallet is emptied in many small payments.',
  PROCESS_FAIL: 'The wallet shows a success, but nothing was placed.',
  RISK_REJECT: 'A payment that looks like fraud is made.',
}

const subjects: Readonly<Record<StateCode, string>> = {
  BUSINESS_NOT_SUPPORT: 'a business the merchant has no contract for',
  EXPIRED_CODE: 'an expired code',
  INVALID_CONTRACT: 'a merchant without a valid contract',
  INVALID_MERCHANT_STATUS: 'a suspended merchant',
  MERCHANT_KYB_NOT_QUALIFIED: 'a merchant whose KYB level is too low',
  ORDER_IS_CLOSED: 'a closed bill',
  PAYMENT_AMOUNT_EXCEED_LIMIT: 'an amount above a limit',
  PAYMENT_COUNT_EXCEED_LIMIT: 'one payment more than a limit permits',
  PROCESS_FAIL: 'a payment that fails for another reason',
  RISK_REJECT: 'a payment that risk control rejects',
}

/** Places orders of the fixture until one has the wanted code, or `after` of them were placed. */
async function untilRefused(context: CaseContext, wanted: StateCode) {
  for (let at = 0; ; at += 1) {
    const order = context.order()
    const answer = await context.place(order)
    if (answer.code === wanted || at === context.after) return { order, answer }
    if (answer.code !== 'SUCCESS')
      throw new UnmetPrecondition(`order ${at + 1} before the state was answered ${answer.code}`)
  }
}

const refused = (wanted: StateCode): AcceptanceCase => ({
  name: `states/${wanted}`,
  rule: `An order for ${subjects[wanted]} is answered ${wanted}.`,
  source: placeOrderDoc(wanted),
  breaks: breaks[wanted],
  expected: code(wanted),
  needs: wanted,
  act: async (context) => (await untilRefused(context, wanted)).answer.code,
})

const kept = (wanted: StateCode): AcceptanceCase => ({
  name: `states/${wanted}-kept`,
  rule: `${wanted} is final: repeats and an inquiry return it too.`,
  source: protocolDoc('Idempotency', 'ours'),
  breaks: 'The wallet shows a failure, and later the payment succeeds.',
  expected: code(wanted),
  needs: wanted,
  act: async (context) => {
    const { order, answer } = await untilRefused(context, wanted)
    const again: LooseAnswer[] = await context.inTurn(order, 2)
    return agreed([answer, ...again, await context.inquire(order)])
  },
})

export const states: readonly AcceptanceCase[] = stateCodes.flatMap((one) => [
  refused(one),
  kept(one),
])
