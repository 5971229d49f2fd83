import type { ParsedAnswer } from '../client/read-answer.ts'
import type { LoadKind } from './mix.ts'

/** An answer that contradicts an earlier one about the same order. */
export type Contradiction = { paymentId: string; answer: string; earlier: string }

const describe = (parsed: ParsedAnswer): string =>
  parsed.kind === 'RESULT'
    ? [parsed.code, parsed.paymentRequestId].filter(Boolean).join(' ')
    : parsed.kind

type Final = { parsed: Extract<ParsedAnswer, { kind: 'RESULT' }>; answeredAt: number }

/**
 * Remembers the final answer of each order and finds contradictions (PROTOCOL.md, Idempotency): a
 * final answer never changes, nor does its paymentRequestId, and a repeat with another amount is
 * refused.
 */
export class Ledger {
  readonly contradictions: Contradiction[] = []
  readonly #finals = new Map<string, Final>()

  /** Whether this order has a final answer. */
  isFinal(paymentId: string): boolean {
    return this.#finals.has(paymentId)
  }

  /** Records an answer; `sentAt` and `answeredAt` in ms of one clock. */
  record(
    paymentId: string,
    kind: LoadKind,
    parsed: ParsedAnswer,
    { sentAt, answeredAt }: { sentAt: number; answeredAt: number },
  ): void {
    if (parsed.kind === 'NOTHING') return
    const final = this.#finals.get(paymentId)
    if (final !== undefined && contradicts(kind, parsed, final, sentAt)) {
      this.contradictions.push({
        paymentId,
        answer: describe(parsed),
        earlier: describe(final.parsed),
      })
    }
    if (
      kind === 'inconsistent' ||
      parsed.kind !== 'RESULT' ||
      parsed.status === 'U' ||
      final !== undefined
    )
      return
    this.#finals.set(paymentId, { parsed, answeredAt })
  }
}

function contradicts(
  kind: LoadKind,
  parsed: ParsedAnswer,
  { parsed: before, answeredAt }: Final,
  sentAt: number,
): boolean {
  if (kind === 'inconsistent') return acceptsOtherTerms(before, parsed)
  const sentAfter = sentAt >= answeredAt
  // Some refusals are not stored; a success always is.
  if (parsed.kind !== 'RESULT')
    return parsed.kind === 'NO_ORDER' && sentAfter && before.status === 'S'
  // Other U codes say nothing about the order.
  if (parsed.status === 'U') return parsed.code === 'PAYMENT_IN_PROCESS' && sentAfter
  return (
    parsed.code !== before.code ||
    (before.status === 'S' && parsed.paymentRequestId !== before.paymentRequestId)
  )
}

/** Only after S: an acquirer may not store a refusal, and then other terms are a new order. */
function acceptsOtherTerms(before: Final['parsed'], parsed: ParsedAnswer): boolean {
  if (before.status !== 'S' || parsed.kind !== 'RESULT') return false
  return parsed.status !== 'U' && parsed.code !== 'REPEAT_REQ_INCONSISTENT'
}
