import { type Exchange, noAnswerText, type Reply } from '../client/place-order-client.ts'
import type { ParsedAnswer } from '../client/read-answer.ts'
import type { Terminal } from './terminal.ts'

/** Prints a request and its answer as they went over the wire. */
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
    terminal.print(`signature  ${describeSignature(reply, terminal)}`)
  } else terminal.print(terminal.paint('red', noAnswerText(reply)))
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

function describeSignature(
  { signature }: Extract<Reply, { kind: 'ANSWERED' }>,
  terminal: Terminal,
): string {
  if (signature === 'GOOD') return terminal.paint('green', 'verified')
  if (signature === 'UNCHECKED') return terminal.paint('yellow', 'not verified: no --server-key')
  return terminal.paint('red', signature === 'BAD' ? 'WRONG' : 'MISSING')
}

/** An answer's result in a line. */
export function describeAnswer(parsed: ParsedAnswer, terminal: Terminal): string {
  if (parsed.kind === 'NO_ORDER') return terminal.paint('yellow', 'the acquirer has no such order')
  if (parsed.kind === 'NOTHING') return terminal.paint('red', parsed.reason)
  const colour = parsed.status === 'S' ? 'green' : parsed.status === 'F' ? 'red' : 'yellow'
  const named =
    parsed.paymentRequestId === undefined ? '' : `  paymentRequestId ${parsed.paymentRequestId}`
  const passed =
    parsed.passThroughInfo === undefined
      ? ''
      : `  passThroughInfo ${JSON.stringify(parsed.passThroughInfo)}`
  return `${terminal.paint(colour, `${parsed.status} ${parsed.code}`)}${named}${passed}`
}

/** An exchange as `--json` prints it. */
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
        : { lost: noAnswerText(reply) },
  }
}

function jsonOrText(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return body.toString()
  }
}
