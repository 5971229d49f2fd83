import type { Reply } from '../../client/caller.ts'
import { targetOf } from '../../client/caller.ts'
import type { Recorded, Sent } from '../wire.ts'

/** Bodies that are longer than so many characters are cut where people read them. */
const SHOWN_MAX = 1_500

/** A request as it went over the wire, as far as people want to read it. */
export function requestText({ method, url, headers, body }: Sent): string {
  return message(`${method} ${targetOf(url)}`, headers, body)
}

/** An answer as it came, or that none did. */
export function answerText({ reply, tookMs }: Pick<Recorded, 'reply' | 'tookMs'>): string {
  if (reply.kind !== 'ANSWERED') return lossText(reply)
  return message(
    `HTTP ${reply.httpStatus} after ${Math.round(tookMs)} ms`,
    Object.entries(reply.headers),
    reply.body,
  )
}

export function lossText(reply: Exclude<Reply, { kind: 'ANSWERED' }>): string {
  return reply.kind === 'TIMED_OUT'
    ? `no answer within ${reply.afterMs} ms`
    : `no answer: ${reply.reason}`
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
