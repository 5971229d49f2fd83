import type { Exchange, Reply } from '../client/caller.ts'
import type { ParsedAnswer } from '../client/read-answer.ts'
import type { Terminal } from './terminal.ts'

/** Prints a request and what came back, as they were on the wire. */
export function showExchange({ request, reply, tookMs }: Exchange, terminal: Terminal): void {
  terminal.print(terminal.paint('bold', `POST ${request.url.href}`))
  showMessage(request, terminal)
  terminal.print()
  if (reply.kind === 'ANSWERED') {
    terminal.print(
      terminal.paint('bold', `HTTP ${reply.httpStatus} after ${Math.round(tookMs)} ms`),
    )
    showMessage(reply, terminal)
    terminal.print()
    terminal.print(`signature  ${signatureWords(reply, terminal)}`)
  } else terminal.print(terminal.paint('red', `no answer: ${lossOf(reply)}`))
}

function showMessage(
  { headers, body }: { headers: Record<string, string>; body: Buffer },
  terminal: Terminal,
): void {
  for (const [name, value] of Object.entries(headers))
    terminal.print(`${terminal.paint('dim', `${name}:`)} ${value}`)
  terminal.print()
  terminal.print(body.toString())
}

const lossOf = (reply: Exclude<Reply, { kind: 'ANSWERED' }>): string =>
  reply.kind === 'TIMED_OUT' ? `none within ${reply.afterMs} ms` : reply.reason

function signatureWords(
  { signature }: Extract<Reply, { kind: 'ANSWERED' }>,
  terminal: Terminal,
): string {
  if (signature === 'GOOD') return terminal.paint('green', 'verified')
  if (signature === 'UNCHECKED') return terminal.paint('yellow', 'not verified: no --server-key')
  return terminal.paint('red', signature === 'BAD' ? 'WRONG' : 'MISSING')
}

/** In a few words, what a caller takes from an answer. */
export function heardWords(heard: ParsedAnswer, terminal: Terminal): string {
  if (heard.kind === 'NO_ORDER') return terminal.paint('yellow', 'the acquirer has no such order')
  if (heard.kind === 'NOTHING') return terminal.paint('red', heard.reason)
  const colour = heard.status === 'S' ? 'green' : heard.status === 'F' ? 'red' : 'yellow'
  const named =
    heard.paymentRequestId === undefined ? '' : `  paymentRequestId ${heard.paymentRequestId}`
  const passed =
    heard.passThroughInfo === undefined
      ? ''
      : `  passThroughInfo ${JSON.stringify(heard.passThroughInfo)}`
  return `${terminal.paint(colour, `${heard.status} ${heard.code}`)}${named}${passed}`
}

/** An exchange as JSON says it. */
export function exchangeAsJson({ request, reply, tookMs }: Exchange) {
  return {
    request: { url: request.url.href, headers: request.headers, body: jsonOrText(request.body) },
    tookMs: Math.round(tookMs),
    answer:
      reply.kind === 'ANSWERED'
        ? {
            httpStatus: reply.httpStatus,
            headers: reply.headers,
            body: jsonOrText(reply.body),
            signature: reply.signature,
          }
        : { lost: lossOf(reply) },
  }
}

function jsonOrText(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return body.toString()
  }
}
