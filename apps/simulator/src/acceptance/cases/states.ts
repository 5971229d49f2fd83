import { type Case, code, page, UnmetPrecondition } from '../case.ts'
import type { CaseContext } from '../case-context.ts'
import { stateCodes } from '../fixtures.ts'
import { agreed, type LooseAnswer } from '../loose-answer.ts'

type StateCode = (typeof stateCodes)[number]

/** What happens to a payer where an acquirer places such an order. */
const breaks: Readonly<Record<StateCode, string>> = {
  BUSINESS_NOT_SUPPORT:
    'The payer pays in a way the merchant has not agreed to, and the merchant gives nothing for it.',
  EXPIRED_CODE: 'The payer pays a bill that is no longer open.',
  INVALID_CONTRACT: 'The payer pays a merchant whom the acquirer may not settle.',
  INVALID_MERCHANT_STATUS: 'The payer pays a merchant who was stopped, for fraud perhaps.',
  MERCHANT_KYB_NOT_QUALIFIED: 'The payer pays somebody about whom nobody has asked who he is.',
  ORDER_IS_CLOSED: 'The payer pays a bill that somebody has paid before.',
  PAYMENT_AMOUNT_EXCEED_LIMIT: 'A payer loses more at once than the limit was to protect.',
  PAYMENT_COUNT_EXCEED_LIMIT: 'A stolen wallet is emptied in many small payments.',
  PROCESS_FAIL: 'The payer is told of success where nothing was placed.',
  RISK_REJECT: 'A payment that looks like fraud is taken from the payer all the same.',
}

const articles: Readonly<Record<StateCode, string>> = {
  BUSINESS_NOT_SUPPORT: 'a business the merchant has no contract for',
  EXPIRED_CODE: 'a code that has expired',
  INVALID_CONTRACT: 'a merchant without a contract that is in force',
  INVALID_MERCHANT_STATUS: 'a merchant whose operation is suspended',
  MERCHANT_KYB_NOT_QUALIFIED: 'a merchant whose KYB level is not high enough',
  ORDER_IS_CLOSED: 'a bill that is closed',
  PAYMENT_AMOUNT_EXCEED_LIMIT: 'an amount above a limit',
  PAYMENT_COUNT_EXCEED_LIMIT: 'one payment more than a limit has',
  PROCESS_FAIL: 'what fails for another reason',
  RISK_REJECT: 'what risk control rejects',
}

/** Places orders like the fixture's until one is refused as it says, or as many were placed as it says. */
async function untilRefused(lab: CaseContext, wanted: StateCode) {
  for (let at = 0; ; at += 1) {
    const order = lab.order()
    const told = await lab.place(order)
    if (told.code === wanted || at === lab.after) return { order, told }
    if (told.code !== 'SUCCESS')
      throw new UnmetPrecondition(`order ${at + 1} before the state was answered ${told.code}`)
  }
}

const refused = (wanted: StateCode): Case => ({
  name: `states/${wanted}`,
  rule: `An order for ${articles[wanted]} is answered ${wanted}.`,
  source: page(wanted),
  breaks: breaks[wanted],
  expected: code(wanted),
  needs: wanted,
  act: async (lab) => (await untilRefused(lab, wanted)).told.code,
})

const kept = (wanted: StateCode): Case => ({
  name: `states/${wanted}-kept`,
  rule: `${wanted} is final: repeats and an inquiry say the same.`,
  source: { page: 'PROTOCOL.md', at: 'Idempotency', word: 'ours' },
  breaks: 'The wallet has told the payer that it failed, and then he pays.',
  expected: code(wanted),
  needs: wanted,
  act: async (lab) => {
    const { order, told } = await untilRefused(lab, wanted)
    const again: LooseAnswer[] = await lab.inTurn(order, 2)
    return agreed([told, ...again, await lab.inquire(order)])
  },
})

export const states: readonly Case[] = stateCodes.flatMap((one) => [refused(one), kept(one)])
