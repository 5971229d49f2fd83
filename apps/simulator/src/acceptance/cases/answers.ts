import { isResultCode, messageOf, parseRequestTime, statusOf } from '@placeorder/protocol'
import { z } from 'zod'
import { isForUnknown } from '../../client/answer-signature.ts'
import {
  type AcceptanceCase,
  type AnswerCase,
  allOfThem,
  type CaseText,
  exactly,
  placeOrderDoc,
  protocolDoc,
} from '../case.ts'
import { isObject } from '../fixtures.ts'
import { replyJson } from '../loose-answer.ts'
import type { RecordedExchange } from '../wire.ts'

type Answered = Extract<RecordedExchange['reply'], { kind: 'ANSWERED' }>
type About = (one: RecordedExchange) => boolean

const Result = z.object({
  resultCode: z.string(),
  resultStatus: z.unknown(),
  resultMessage: z.unknown(),
})
const Answer = z.object({ result: Result, paymentRequestId: z.unknown() })

/** The results in an answer: its own and, in an answer to an inquiry, the order's. */
function resultsOf({ reply }: RecordedExchange): z.output<typeof Result>[] {
  const body = replyJson(reply)
  if (!isObject(body)) return []
  return [body.result, body.orderResult].flatMap((result) => Result.safeParse(result).data ?? [])
}

const onProtocol: About = ({ endpoint }) => endpoint !== 'none'
const isPlace: About = ({ endpoint }) => endpoint === 'place'
const hasStatusS: About = (one) => onProtocol(one) && resultsOf(one)[0]?.resultStatus === 'S'
const hasOtherStatus: About = (one) =>
  onProtocol(one) && one.reply.kind === 'ANSWERED' && !hasStatusS(one)
const answered =
  (fault: (reply: Answered, one: RecordedExchange) => string | undefined): AnswerCase['fault'] =>
  (one) =>
    one.reply.kind === 'ANSWERED' ? fault(one.reply, one) : undefined

const every = (
  name: string,
  text: Pick<CaseText, 'rule' | 'breaks' | 'source'> & { about?: About },
  fault: AnswerCase['fault'],
): AcceptanceCase => ({
  name: `answers/${name}`,
  expected: exactly(allOfThem),
  about: onProtocol,
  ...text,
  fault,
})

const ignored =
  'Alipay+ ignores such an answer: a payer who paid does not learn that the payment succeeded.'
const response = protocolDoc('Response')

const signedFault = answered(({ signature }) => {
  if (signature === 'GOOD') return undefined
  return signature === 'MISSING' ? 'not signed' : 'wrongly signed'
})

const envelope: AcceptanceCase[] = [
  every(
    'arrive',
    {
      rule: 'Every request is answered.',
      breaks: 'The payer waits and sees no result.',
      source: protocolDoc('How real callers behave', 'ours'),
    },
    ({ reply }) => (reply.kind === 'DROPPED' ? reply.reason : undefined),
  ),
  every(
    'status-200',
    {
      rule: 'Every answer has HTTP status 200, refusals included.',
      breaks: ignored,
      source: protocolDoc('Response', 'sdk'),
    },
    answered(({ httpStatus }) => (httpStatus === 200 ? undefined : `HTTP ${httpStatus}`)),
  ),
  every(
    'signed',
    {
      rule: 'Every answer with status S is signed over the bytes of its body.',
      breaks: ignored,
      source: response,
      about: hasStatusS,
    },
    signedFault,
  ),
  every(
    'refusals-signed',
    {
      rule: 'Every answer with status F or U is signed too, even after a wrong signature.',
      breaks: ignored,
      source: response,
      about: hasOtherStatus,
    },
    signedFault,
  ),
  every(
    'client-id',
    {
      rule: "Client-Id is the request's if the acquirer knows it, else UNKNOWN.",
      breaks: 'Anybody can make the acquirer sign a text of their choice, and use it as an answer.',
      source: response,
    },
    answered(({ headers, body }, one) => {
      const named = headers['client-id']
      const sent = clientIdOf(one)
      const mayBeKnown = sent !== undefined && resultsOf(one)[0]?.resultCode !== 'INVALID_CLIENT'
      if (mayBeKnown && named === sent) return undefined
      return isForUnknown(headers, body) ? undefined : `Client-Id ${named ?? 'missing'}`
    }),
  ),
  every(
    'response-time',
    {
      rule: 'Every answer has a Response-Time, in ISO 8601 or in milliseconds since 1970.',
      breaks: ignored,
      source: response,
    },
    answered(({ headers }) => {
      const time = headers['response-time']
      if (time === undefined) return 'no Response-Time'
      return parseRequestTime(time) === undefined ? `Response-Time ${time}` : undefined
    }),
  ),
  every(
    'content-type',
    {
      rule: 'Content-Type is application/json; charset=UTF-8.',
      breaks: "The payer sees a merchant's name with garbled characters.",
      source: response,
    },
    answered(({ headers }) => {
      const type = headers['content-type'] ?? 'missing'
      return /^application\/json\s*;\s*charset="?utf-8"?$/i.test(type)
        ? undefined
        : `Content-Type ${type}`
    }),
  ),
]

/** The Client-Id of a request; undefined when it has several, or one that no client can have. */
function clientIdOf({ request }: RecordedExchange): string | undefined {
  const [one, ...more] = request.headers.filter(([name]) => name.toLowerCase() === 'client-id')
  return more.length === 0 && /^[\w-]{1,64}$/.test(one?.[1] ?? '') ? one?.[1] : undefined
}

const table = placeOrderDoc('Result code')
const body: AcceptanceCase[] = [
  every(
    'result',
    {
      rule: 'Every answer has a result with code, status and message.',
      breaks: ignored,
      source: placeOrderDoc('result'),
    },
    answered((_reply, one) => (resultsOf(one).length > 0 ? undefined : 'no result')),
  ),
  every(
    'codes',
    {
      rule: 'A result code is one of the 27; an inquiry may also be answered ORDER_NOT_EXIST.',
      breaks: 'Alipay+ cannot show the payer what happened.',
      source: table,
    },
    answered((_reply, one) => {
      const other = resultsOf(one).find(({ resultCode }) => !isKnown(resultCode, one))
      return other === undefined ? undefined : `code ${other.resultCode}`
    }),
  ),
  every(
    'statuses',
    {
      rule: 'Every code has the status that the table of result codes gives: S, F or U.',
      breaks:
        'Alipay+ acts on the status: a refused payment counts as paid, or a paid one as refused.',
      source: table,
    },
    answered((_reply, one) => {
      const wrong = resultsOf(one).find(
        ({ resultCode, resultStatus }) =>
          isResultCode(resultCode) && resultStatus !== statusOf[resultCode],
      )
      return wrong === undefined
        ? undefined
        : `${wrong.resultCode} with status ${wrong.resultStatus}`
    }),
  ),
  every(
    'messages',
    {
      rule: 'Every code has the message that the table of result codes gives, in any case.',
      breaks: 'Support sees two different messages for one failure.',
      source: table,
    },
    answered((_reply, one) => {
      const wrong = resultsOf(one).find(
        ({ resultCode, resultMessage }) =>
          isResultCode(resultCode) &&
          `${resultMessage}`.toLowerCase() !== messageOf[resultCode].toLowerCase(),
      )
      return wrong === undefined
        ? undefined
        : `${wrong.resultCode} with message ${JSON.stringify(wrong.resultMessage)}`
    }),
  ),
  every(
    'request-id',
    {
      rule: 'SUCCESS comes with a paymentRequestId of 1 to 64 characters.',
      breaks: 'A refund does not find the payment.',
      source: placeOrderDoc('paymentRequestId'),
      about: (one) => isPlace(one) && resultsOf(one)[0]?.resultCode === 'SUCCESS',
    },
    answered((reply) => {
      const id = Answer.safeParse(replyJson(reply)).data?.paymentRequestId
      const good = typeof id === 'string' && id.length > 0 && [...id].length <= 64
      return good ? undefined : `paymentRequestId ${JSON.stringify(id) ?? 'missing'}`
    }),
  ),
  every(
    'strings',
    {
      rule: 'Every value is null or a string that is not "".',
      breaks: ignored,
      source: placeOrderDoc('Structure'),
    },
    answered((reply) => leafFault(replyJson(reply), '')),
  ),
]

const isKnown = (code: string, { endpoint }: RecordedExchange): boolean =>
  isResultCode(code) || (endpoint === 'inquire' && code === 'ORDER_NOT_EXIST')

function leafFault(value: unknown, path: string): string | undefined {
  if (value === null || value === undefined) return undefined
  if (typeof value === 'string') return value === '' ? `${path} is ""` : undefined
  if (typeof value !== 'object') return `${path} is a ${typeof value}`
  for (const [name, inner] of Object.entries(value)) {
    const fault = leafFault(inner, path === '' ? name : `${path}.${name}`)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Every answer came in time. */
export const inTime = (answerWithinMs: number): AcceptanceCase =>
  every(
    'in-time',
    {
      rule: `Every answer comes within ${answerWithinMs / 1000} s.`,
      breaks:
        'The wallet stops waiting while the payer stands at the till, and nobody knows the result.',
      source: protocolDoc('How real callers behave', 'ours'),
    },
    ({ reply, tookMs }) => {
      if (reply.kind === 'TIMED_OUT') return `none after ${reply.afterMs} ms`
      return reply.kind === 'ANSWERED' && tookMs > answerWithinMs
        ? `${Math.round(tookMs)} ms`
        : undefined
    },
  )

export const answerCases: readonly AcceptanceCase[] = [...envelope, ...body]
