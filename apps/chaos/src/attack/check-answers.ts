import type { KeyObject } from 'node:crypto'
import {
  isResultCode,
  parseSignatureHeader,
  signedText,
  statusOf,
  UNKNOWN_CLIENT,
  verify,
} from '@placeorder/protocol'
import { z } from 'zod'
import { type RawAnswer, splitAnswers } from './answers.ts'
import type { ShotResult } from './send-shot.ts'
import type { Placed, Shot } from './shot.ts'

export type Known = { clientId: string; serverKey: KeyObject }

const Body = z.looseObject({
  result: z.looseObject({ resultCode: z.string(), resultStatus: z.string() }),
  paymentRequestId: z.string().optional(),
})

/** A target that may enter a signed text: origin form, of the characters of RFC 3986. */
const isPlain = (target: string) => /^\/[\w.~:/?@!$&'()*+,;=%-]*$/.test(target)

/**
 * What is wrong with the answers that a shot got; empty if they are what was promised. Codes are
 * counted by `onCode`.
 */
export function faultsInAnswers(
  shot: Shot,
  outcome: ShotResult,
  known: Known,
  onCode: (code: string) => void,
): string[] {
  if (outcome.isOpen && !isIdle(shot, outcome))
    return [`the connection is still open after ${outcome.tookMs} ms`]
  if (!shot.port.startsWith('orders')) return []
  const mayLackBodies = Buffer.concat(shot.pieces).includes('HEAD')
  const { answers, rest } = splitAnswers(outcome.received, mayLackBodies)
  const targets = targetsIn(shot.pieces)
  const faults = answers.flatMap((answer, at) => {
    const placed = shot.placed[at]
    return placed === undefined
      ? faultsOfOne(answer, targets, known, onCode)
      : faultsOfPlaced(answer, placed, known, onCode)
  })
  // What a reset cuts off is lost on the way; TLS where none is spoken gets an alert, which is not
  // HTTP.
  const isCut = outcome.isReset || shot.leaving.how === 'reset' || shot.bare
  if (rest.length > 0 && !isCut) faults.push(`it got what is no answer: ${excerpt(rest)}`)
  if (shot.answersInAll && !isCut && answers.length !== shot.requests)
    faults.push(`${shot.requests} requests of a client got ${answers.length} answers`)
  return faults
}

/** Whether a connection waits for its next request: for that it has 75 s. */
function isIdle({ leaving, port }: Shot, { received }: ShotResult): boolean {
  if (leaving.how !== 'silence') return false
  if (!port.startsWith('orders')) return received.length > 0 // Its answers may come in chunks.
  const { answers, rest } = splitAnswers(received, true)
  return answers.length > 0 && rest.length === 0
}

function faultsOfPlaced(
  answer: RawAnswer,
  { target, paymentId, paymentRequestId }: Placed,
  known: Known,
  onCode: (code: string) => void,
): string[] {
  const faults = faultsOfOne(answer, [target], known, onCode)
  const body = Body.safeParse(jsonOf(answer.body)).data
  if (body === undefined || faults.length > 0) return faults
  if (body.result.resultStatus === 'F')
    faults.push(`${paymentId} is placed, and answered ${body.result.resultCode}`)
  if (body.result.resultStatus === 'S' && body.paymentRequestId !== paymentRequestId)
    faults.push(`${paymentId} is ${paymentRequestId}, and answered ${body.paymentRequestId}`)
  return faults
}

function faultsOfOne(
  { status, headers, body }: RawAnswer,
  targets: readonly string[],
  { clientId, serverKey }: Known,
  onCode: (code: string) => void,
): string[] {
  const parsed = Body.safeParse(jsonOf(body)).data
  const code = parsed?.result.resultCode ?? ''
  const known = isResultCode(code) || code === 'ORDER_NOT_EXIST'
  onCode(known ? code : 'none')
  if (status !== 200) return [`HTTP ${status}: ${excerpt(body)}`]
  if (parsed === undefined || !known) return [`not an answer of the protocol: ${excerpt(body)}`]
  if (isResultCode(code) && statusOf[code] !== parsed.result.resultStatus)
    return [`${code} with the status ${parsed.result.resultStatus}`]
  const to = headers.get('client-id') ?? ''
  if (to !== clientId && to !== UNKNOWN_CLIENT) return [`it is signed for ${excerpt(to)}`]
  const signature = parseSignatureHeader(headers.get('signature') ?? '')?.signature
  const time = headers.get('response-time') ?? ''
  const isSigned = [...new Set([...targets, '/'])].some(
    (target) =>
      signature !== undefined && verify(signedText(target, to, time, body), serverKey, signature),
  )
  return isSigned ? [] : [`${code} is not signed for any target that was sent`]
}

/**
 * Targets that may be signed: every word that could be one, in the pieces as they were sent or
 * grown together. Of one in absolute form it is the path and query.
 */
function targetsIn(pieces: readonly Buffer[]): string[] {
  const found = new Set<string>()
  for (let from = 0; from < pieces.length; from += 1) {
    for (let to = from + 1; to <= pieces.length; to += 1) {
      const text = Buffer.concat(pieces.slice(from, to)).toString('latin1')
      for (const word of new Set(text.split(/[ \r\n]+/)))
        found.add(word.replace(/^\w+:\/\/[^/?#]*/, ''))
    }
  }
  return [...found].filter(isPlain)
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

const excerpt = (bytes: Buffer | string): string =>
  JSON.stringify(bytes.toString('latin1').slice(0, 200))
