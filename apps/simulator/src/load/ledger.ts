import type { ParsedAnswer } from '../client/read-answer.ts'
import type { Kind } from './mix.ts'

/** An answer that breaks a promise of the protocol to an earlier one. */
export type Contradiction = { paymentId: string; told: string; before: string }

const words = (heard: ParsedAnswer): string =>
  heard.kind === 'RESULT'
    ? [heard.code, heard.paymentRequestId].filter(Boolean).join(' ')
    : heard.kind

type Final = { heard: Extract<ParsedAnswer, { kind: 'RESULT' }>; toldAt: number }

/**
 * Remembers what was told of each order, and finds contradictions (PROTOCOL.md, idempotency): a final answer is
 * repeated for ever with the same paymentRequestId, and a repeat with another amount is refused.
 */
export class Ledger {
  readonly contradictions: Contradiction[] = []
  readonly #finals = new Map<string, Final>()

  /** Whether a final answer is known of this order. */
  isFinal(paymentId: string): boolean {
    return this.#finals.has(paymentId)
  }

  /** Takes down what was told; `askedAt` and `toldAt` in ms of one clock. */
  tell(
    paymentId: string,
    kind: Kind,
    heard: ParsedAnswer,
    { askedAt, toldAt }: { askedAt: number; toldAt: number },
  ): void {
    if (heard.kind === 'NOTHING') return
    const final = this.#finals.get(paymentId)
    if (final !== undefined && contradicts(kind, heard, final, askedAt)) {
      this.contradictions.push({ paymentId, told: words(heard), before: words(final.heard) })
    }
    if (
      kind === 'inconsistent' ||
      heard.kind !== 'RESULT' ||
      heard.status === 'U' ||
      final !== undefined
    )
      return
    this.#finals.set(paymentId, { heard, toldAt })
  }
}

function contradicts(
  kind: Kind,
  heard: ParsedAnswer,
  { heard: before, toldAt }: Final,
  askedAt: number,
): boolean {
  if (kind === 'inconsistent') return acceptsOtherTerms(before, heard)
  const askedAfter = askedAt >= toldAt
  // A refusal before the claim leaves no trace; a success does.
  if (heard.kind !== 'RESULT')
    return heard.kind === 'NO_ORDER' && askedAfter && before.status === 'S'
  // Other U codes say nothing of the order.
  if (heard.status === 'U') return heard.code === 'PAYMENT_IN_PROCESS' && askedAfter
  return (
    heard.code !== before.code ||
    (before.status === 'S' && heard.paymentRequestId !== before.paymentRequestId)
  )
}

/** Only what was placed is sure to be kept: some refusals leave no trace, and then other terms are a new order. */
function acceptsOtherTerms(before: Final['heard'], heard: ParsedAnswer): boolean {
  if (before.status !== 'S' || heard.kind !== 'RESULT') return false
  return heard.status !== 'U' && heard.code !== 'REPEAT_REQ_INCONSISTENT'
}
