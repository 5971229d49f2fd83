import { finalCode, PassThroughInfo } from '@placeorder/protocol'
import { type Outcome, outcomeOf } from '@placeorder/store'
import { z } from 'zod'

/** A check's answer about an order; it may have further fields of its own. */
const Answer = z
  .object({
    resultCode: z.string().transform(finalCode),
    passThroughInfo: PassThroughInfo.nullish(),
  })
  .transform(({ resultCode, passThroughInfo }) =>
    outcomeOf(resultCode, passThroughInfo ?? undefined),
  )

/** @throws whatever is wrong with it */
export const readAnswer = (answer: unknown): Outcome => Answer.parse(answer)
