import { z } from 'zod'
import { noAnswerText, type Reply } from '../client/place-order-client.ts'
import { parseJson } from '../client/read-answer.ts'

const Result = z.object({ resultCode: z.string(), resultStatus: z.string().optional() })
const Placed = z.object({ result: Result, paymentRequestId: z.string().nullish() })
const Inquired = z.object({
  result: Result,
  orderResult: Result.nullish(),
  paymentRequestId: z.string().nullish(),
})

/** An answer read loosely: other cases judge its signature and HTTP status. */
export type LooseAnswer = {
  /** The result code; without one, a phrase that says what came instead. */
  code: string
  status: string | undefined
  paymentRequestId: string | undefined
}

/** Reads an answer of placeOrder. */
export function looseAnswer(reply: Reply): LooseAnswer {
  const answer = Placed.safeParse(replyJson(reply))
  if (!answer.success) return withoutResult(reply)
  const { result, paymentRequestId } = answer.data
  return {
    code: result.resultCode,
    status: result.resultStatus,
    paymentRequestId: paymentRequestId ?? undefined,
  }
}

/** Reads an answer of inquiryOrder: the order's result, else the inquiry's own. */
export function looseInquiryAnswer(reply: Reply): LooseAnswer {
  const answer = Inquired.safeParse(replyJson(reply))
  if (!answer.success) return withoutResult(reply)
  const { result, orderResult, paymentRequestId } = answer.data
  const { resultCode, resultStatus } = orderResult ?? result
  return { code: resultCode, status: resultStatus, paymentRequestId: paymentRequestId ?? undefined }
}

const withoutResult = (reply: Reply): LooseAnswer => ({
  code: describeLoss(reply),
  status: undefined,
  paymentRequestId: undefined,
})

function describeLoss(reply: Reply): string {
  if (reply.kind !== 'ANSWERED') return noAnswerText(reply)
  return `HTTP ${reply.httpStatus} without a result`
}

/** The body of an answer as JSON; undefined when it is not JSON. */
export function replyJson(reply: Reply): unknown {
  return reply.kind === 'ANSWERED' ? parseJson(reply.body) : undefined
}

/** The code and, with SUCCESS, the paymentRequestId: neither may change once it was answered. */
export const codeAndId = ({ code, paymentRequestId }: LooseAnswer): string =>
  code === 'SUCCESS' ? `SUCCESS ${paymentRequestId ?? 'without paymentRequestId'}` : code

/** The code that all answers have; if they differ, each distinct answer in order. */
export function agreed(answers: readonly LooseAnswer[]): string {
  const distinct = [...new Set(answers.map(codeAndId))]
  const [first] = answers
  return distinct.length === 1 && first !== undefined ? first.code : distinct.join(', then ')
}
