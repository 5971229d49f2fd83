import type { ResultStatus } from '@placeorder/protocol'
import { z } from 'zod'
import type { Reply } from './place-order-client.ts'

/** The part of an answer that a caller acts on. */
const Result = z.object({
  resultCode: z.string(),
  resultStatus: z.enum(['S', 'F', 'U']),
  resultMessage: z.string().nullish(),
})
type Result = z.infer<typeof Result>
const PlaceAnswer = z.object({
  result: Result,
  paymentRequestId: z.string().nullish(),
  passThroughInfo: z.string().nullish(),
})
const InquiryAnswer = z.object({
  result: Result,
  orderResult: Result.nullish(),
  paymentRequestId: z.string().nullish(),
  passThroughInfo: z.string().nullish(),
})

/** What a caller learns from a reply. */
export type ParsedAnswer =
  | {
      kind: 'RESULT'
      status: ResultStatus
      code: string
      paymentRequestId?: string
      passThroughInfo?: string
    }
  /** The answer to an inquiry: the acquirer has no such order. */
  | { kind: 'NO_ORDER' }
  /**
   * No usable result: the answer is lost, unsigned, not HTTP 200, or unreadable; or an inquiry was
   * answered with a result of its own, whose status is given.
   */
  | { kind: 'NOTHING'; reason: string; status?: ResultStatus }

/** Parses an answer of placeOrder. */
export function parsePlaceAnswer(reply: Reply): ParsedAnswer {
  const answer = trusted(reply, PlaceAnswer)
  if (typeof answer === 'string') return { kind: 'NOTHING', reason: answer }
  return resultOf(answer.result, answer)
}

/** Parses an answer of inquiryOrder: the order's result, not the inquiry's own. */
export function parseInquiryAnswer(reply: Reply): ParsedAnswer {
  const answer = trusted(reply, InquiryAnswer)
  if (typeof answer === 'string') return { kind: 'NOTHING', reason: answer }
  if (answer.result.resultCode === 'ORDER_NOT_EXIST') return { kind: 'NO_ORDER' }
  const { resultCode, resultStatus: status } = answer.result
  if (status !== 'S' || !answer.orderResult)
    return { kind: 'NOTHING', reason: `the inquiry was answered ${resultCode}`, status }
  return resultOf(answer.orderResult, answer)
}

function resultOf(
  { resultStatus, resultCode }: Result,
  { paymentRequestId, passThroughInfo }: Omit<z.infer<typeof PlaceAnswer>, 'result'>,
): ParsedAnswer {
  const named = paymentRequestId && resultStatus === 'S' ? { paymentRequestId } : {}
  const passed = passThroughInfo ? { passThroughInfo } : {}
  return { kind: 'RESULT', status: resultStatus, code: resultCode, ...named, ...passed }
}

/**
 * The answer, or why a caller ignores it (PROTOCOL.md: without HTTP 200 and a signature it is
 * lost).
 */
function trusted<S extends z.ZodType>(reply: Reply, schema: S): z.output<S> | string {
  if (reply.kind === 'TIMED_OUT') return `no answer within ${reply.afterMs} ms`
  if (reply.kind === 'DROPPED') return reply.reason
  if (reply.httpStatus !== 200) return `HTTP status ${reply.httpStatus}`
  if (reply.signature === 'MISSING') return 'the answer is not signed'
  if (reply.signature === 'BAD') return "the answer's signature is wrong"
  const answer = schema.safeParse(parseJson(reply.body))
  return answer.success ? answer.data : 'the answer has no readable result'
}

/** A body as JSON; undefined when it is not JSON. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
