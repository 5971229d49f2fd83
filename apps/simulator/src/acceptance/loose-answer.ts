import { z } from 'zod'
import type { Reply } from '../client/caller.ts'

const Result = z.object({ resultCode: z.string(), resultStatus: z.string().optional() })
const Placed = z.object({ result: Result, paymentRequestId: z.string().nullish() })
const Inquired = z.object({
  result: Result,
  orderResult: Result.nullish(),
  paymentRequestId: z.string().nullish(),
})

/** What an answer says, read as loosely as can be: whether it is signed, or 200, is for other cases to judge. */
export type LooseAnswer = {
  /** The result code; words in its place when there is none. */
  code: string
  status: string | undefined
  paymentRequestId: string | undefined
}

/** What an answer of placeOrder says. */
export function looseAnswer(reply: Reply): LooseAnswer {
  const answer = Placed.safeParse(bodyOf(reply))
  if (!answer.success) return nothing(reply)
  const { result, paymentRequestId } = answer.data
  return {
    code: result.resultCode,
    status: result.resultStatus,
    paymentRequestId: paymentRequestId ?? undefined,
  }
}

/** What an answer of inquiryOrder says of the order; of the call itself when it says nothing of an order. */
export function looseInquiryAnswer(reply: Reply): LooseAnswer {
  const answer = Inquired.safeParse(bodyOf(reply))
  if (!answer.success) return nothing(reply)
  const { result, orderResult, paymentRequestId } = answer.data
  const { resultCode, resultStatus } = orderResult ?? result
  return { code: resultCode, status: resultStatus, paymentRequestId: paymentRequestId ?? undefined }
}

const nothing = (reply: Reply): LooseAnswer => ({
  code: lossOf(reply),
  status: undefined,
  paymentRequestId: undefined,
})

function lossOf(reply: Reply): string {
  if (reply.kind === 'TIMED_OUT') return `no answer within ${reply.afterMs} ms`
  if (reply.kind === 'DROPPED') return `no answer: ${reply.reason}`
  return `HTTP ${reply.httpStatus} without a result`
}

/** The body of an answer as JSON; undefined when it is none. */
export function bodyOf(reply: Reply): unknown {
  if (reply.kind !== 'ANSWERED') return undefined
  try {
    return JSON.parse(reply.body.toString())
  } catch {
    return undefined
  }
}

/** Code and, with SUCCESS, the paymentRequestId: what must not change once it was told. */
export const words = ({ code, paymentRequestId }: LooseAnswer): string =>
  code === 'SUCCESS' ? `SUCCESS ${paymentRequestId ?? 'without paymentRequestId'}` : code

/** The code that all of them say; else, one after the other, what was said. */
export function agreed(told: readonly LooseAnswer[]): string {
  const said = [...new Set(told.map(words))]
  const [first] = told
  return said.length === 1 && first !== undefined ? first.code : said.join(', then ')
}
