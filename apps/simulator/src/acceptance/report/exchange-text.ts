import { noAnswerText, requestTarget } from '../../client/place-order-client.ts'
import type { RawRequest, RecordedExchange } from '../wire.ts'

/** Longer bodies are cut in reports, after so many characters. */
const SHOWN_MAX = 1_500

/** A request as it went over the wire; a long body is cut. */
export function requestText({ method, url, headers, body }: RawRequest): string {
  return message(`${method} ${requestTarget(url)}`, headers, body)
}

/** An answer as it came, or why there is none. */
export function answerText({ reply, tookMs }: Pick<RecordedExchange, 'reply' | 'tookMs'>): string {
  if (reply.kind !== 'ANSWERED') return noAnswerText(reply)
  return message(
    `HTTP ${reply.httpStatus} after ${Math.round(tookMs)} ms`,
    Object.entries(reply.headers),
    reply.body,
  )
}

function message(
  start: string,
  headers: readonly (readonly [string, string])[],
  body: Buffer,
): string {
  const text = body.toString()
  const shown =
    text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)} … (${body.length} bytes)` : text
  return [start, ...headers.map(([name, value]) => `${name}: ${value}`), '', shown].join('\n')
}
