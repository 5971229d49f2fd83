import { isResultCode, messageOf, parseRequestTime, statusOf } from '@placeorder/protocol'
import { z } from 'zod'
import { isForUnknown } from '../../client/answer-signature.ts'
import { allOfThem, type Case, exactly, page, type Source, type Survey, wire } from '../case.ts'
import { isObject } from '../fixtures.ts'
import { bodyOf } from '../loose-answer.ts'
import type { Recorded } from '../wire.ts'

type Answered = Extract<Recorded['reply'], { kind: 'ANSWERED' }>
type About = (one: Recorded) => boolean

const Result = z.object({
  resultCode: z.string(),
  resultStatus: z.unknown(),
  resultMessage: z.unknown(),
})
const Answer = z.object({ result: Result, paymentRequestId: z.unknown() })

/** The results in an answer: the call's own, and with an inquiry the order's. */
function resultsOf({ reply }: Recorded): z.output<typeof Result>[] {
  const body = bodyOf(reply)
  if (!isObject(body)) return []
  return [body.result, body.orderResult].flatMap((result) => Result.safeParse(result).data ?? [])
}

const onProtocol: About = ({ endpoint }) => endpoint !== 'elsewhere'
const isPlace: About = ({ endpoint }) => endpoint === 'place'
const saysS: About = (one) => onProtocol(one) && resultsOf(one)[0]?.resultStatus === 'S'
const saysOther: About = (one) => onProtocol(one) && one.reply.kind === 'ANSWERED' && !saysS(one)
const answered =
  (fault: (reply: Answered, one: Recorded) => string | undefined): Survey['fault'] =>
  (one) =>
    one.reply.kind === 'ANSWERED' ? fault(one.reply, one) : undefined

const every = (
  name: string,
  told: { rule: string; breaks: string; source: Source; about?: About },
  fault: Survey['fault'],
): Case => ({
  name: `answers/${name}`,
  expected: exactly(allOfThem),
  about: onProtocol,
  ...told,
  fault,
})

const unheard =
  'Alipay+ does not listen to such an answer: a payer who paid is told that nobody knows.'
const response = wire('Response')

const signedFault = answered(({ signature }) => {
  if (signature === 'GOOD') return undefined
  return signature === 'MISSING' ? 'not signed' : 'wrongly signed'
})

const envelope: Case[] = [
  every(
    'arrive',
    {
      rule: 'Every request is answered.',
      breaks: 'The payer waits before a spinning wheel.',
      source: wire('How real callers behave', 'ours'),
    },
    ({ reply }) => (reply.kind === 'DROPPED' ? reply.reason : undefined),
  ),
  every(
    'status-200',
    {
      rule: 'HTTP status is 200 for every answer, refusals included.',
      breaks: unheard,
      source: wire('Response', 'sdk'),
    },
    answered(({ httpStatus }) => (httpStatus === 200 ? undefined : `HTTP ${httpStatus}`)),
  ),
  every(
    'signed',
    {
      rule: 'Every answer with status S is signed, over the bytes that are sent.',
      breaks: unheard,
      source: response,
      about: saysS,
    },
    signedFault,
  ),
  every(
    'refusals-signed',
    {
      rule: 'Every answer with status F or U is signed as well, also to a request that was wrongly signed.',
      breaks: unheard,
      source: response,
      about: saysOther,
    },
    signedFault,
  ),
  every(
    'client-id',
    {
      rule: "Client-Id is the request's, if the acquirer knows it; else UNKNOWN.",
      breaks:
        'Anybody gets the acquirer to sign a text of their choice, and whoever acts upon it pays.',
      source: response,
    },
    answered(({ headers, body }, one) => {
      const named = headers['client-id']
      const asked = clientIdOf(one)
      const mayBeKnown = asked !== undefined && resultsOf(one)[0]?.resultCode !== 'INVALID_CLIENT'
      if (mayBeKnown && named === asked) return undefined
      return isForUnknown(headers, body) ? undefined : `Client-Id ${named ?? 'missing'}`
    }),
  ),
  every(
    'response-time',
    {
      rule: 'Response-Time is there, in ISO 8601 or in milliseconds since 1970.',
      breaks: unheard,
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
      breaks: "A merchant's name reaches the payer in wrong letters.",
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

/** The Client-Id of a request, if it named one that a client can have, and no second. */
function clientIdOf({ sent }: Recorded): string | undefined {
  const [one, ...more] = sent.headers.filter(([name]) => name.toLowerCase() === 'client-id')
  return more.length === 0 && /^[\w-]{1,64}$/.test(one?.[1] ?? '') ? one?.[1] : undefined
}

const table = page('Result code')
const body: Case[] = [
  every(
    'result',
    {
      rule: 'Every answer has a result with code, status and message.',
      breaks: unheard,
      source: page('result'),
    },
    answered((_reply, one) => (resultsOf(one).length > 0 ? undefined : 'no result')),
  ),
  every(
    'codes',
    {
      rule: 'A result code is one of the 27; an inquiry may say ORDER_NOT_EXIST besides.',
      breaks: 'Alipay+ cannot tell the payer what happened.',
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
      rule: 'Every code has the status of the table: S, F or U.',
      breaks:
        'Alipay+ acts on the status: a refused payment is taken for a good one, or the other way round.',
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
      rule: 'Every code has the message of the table; capitals aside, as in the sample.',
      breaks: 'Whoever helps the payer reads two stories of one failure.',
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
      source: page('paymentRequestId'),
      about: (one) => isPlace(one) && resultsOf(one)[0]?.resultCode === 'SUCCESS',
    },
    answered((reply) => {
      const id = Answer.safeParse(bodyOf(reply)).data?.paymentRequestId
      const good = typeof id === 'string' && id.length > 0 && [...id].length <= 64
      return good ? undefined : `paymentRequestId ${JSON.stringify(id) ?? 'missing'}`
    }),
  ),
  every(
    'strings',
    {
      rule: 'Every value is a string that is not "", or null.',
      breaks: unheard,
      source: page('Structure'),
    },
    answered((reply) => leafFault(bodyOf(reply), '')),
  ),
]

const isKnown = (code: string, { endpoint }: Recorded): boolean =>
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

/** Whether every answer came in time; the bound is the run's. */
export const inTime = (answerWithinMs: number): Case =>
  every(
    'in-time',
    {
      rule: `Every answer is there within ${answerWithinMs / 1000} s.`,
      breaks:
        'The payer stands at the till, the wallet gives up, and nobody knows whether he paid.',
      source: wire('How real callers behave', 'ours'),
    },
    ({ reply, tookMs }) => {
      if (reply.kind === 'TIMED_OUT') return `none after ${reply.afterMs} ms`
      return reply.kind === 'ANSWERED' && tookMs > answerWithinMs
        ? `${Math.round(tookMs)} ms`
        : undefined
    },
  )

export const answers: readonly Case[] = [...envelope, ...body]
