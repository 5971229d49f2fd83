import assert from 'node:assert/strict'
import { type PlaceOrderRequest, termsOf } from '@placeorder/protocol'
import { notRecalled, type Recalled } from '../outbox/archived-orders.ts'
import { type Outcome, readOutcome } from '../outcome.ts'
import { readable } from '../redis/readable.ts'
import type { Claim } from './claims.ts'

/**
 * The state of an order after `Intake.accept`. `archived`: it is in the archive, and Redis has
 * forgotten it.
 */
export type Accepted =
  | { kind: 'OPEN'; paymentRequestId: string; repeated: boolean }
  | { kind: 'CONCLUDED'; paymentRequestId: string; outcome: Outcome; archived?: true }
  | { kind: 'INCONSISTENT'; archived?: true }

/** What a claim means for its order. */
export function acceptedOf({ state, paymentRequestId, outcome }: Claim): Accepted {
  assert(state !== 'UNREADABLE', 'the record is of a newer version or damaged')
  assert(state !== 'MAYBE', 'an order that may be forgotten is looked up first')
  if (state === 'INCONSISTENT') return { kind: 'INCONSISTENT' }
  if (state === 'CONCLUDED')
    return { kind: 'CONCLUDED', paymentRequestId, outcome: readOutcome(outcome) }
  return { kind: 'OPEN', paymentRequestId, repeated: state === 'OPEN' }
}

/**
 * What the archive's word on an order means: undefined for one that is to be claimed after all, an
 * Error if nothing is known of it.
 */
export function acceptedByArchive(
  recalled: Recalled,
  order: PlaceOrderRequest,
): Accepted | Error | undefined {
  if (recalled.kind === 'ABSENT') return undefined
  if (recalled.kind !== 'FOUND') return notRecalled(recalled)
  const { terms, paymentRequestId, outcome } = recalled.order
  if (terms !== termsOf(order)) return { kind: 'INCONSISTENT', archived: true }
  return readable(() => ({
    kind: 'CONCLUDED',
    paymentRequestId,
    outcome: readOutcome(outcome),
    archived: true,
  }))
}
