import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { z } from 'zod'
import { type Outcome, readOutcome } from '../outcome.ts'

/** The state of an order after `Intake.accept`. */
export type Accepted =
  | { kind: 'OPEN'; paymentRequestId: string; repeated: boolean }
  | { kind: 'CONCLUDED'; paymentRequestId: string; outcome: Outcome }
  | { kind: 'INCONSISTENT' }

/**
 * The number of open orders, whether there was a joinable job, and the orders that were claimed
 * before.
 */
export const ClaimReply = z.tuple(
  [z.coerce.number(), z.number()],
  z.union([z.string(), z.number()]),
)

export const EarlierClaim = z
  .tuple([
    z.number(),
    z.enum(['OPEN', 'CONCLUDED', 'INCONSISTENT', 'UNREADABLE']),
    z.string(),
    z.string(),
    z.string(),
    z.coerce.number(),
  ])
  .transform(([position, state, paymentRequestId, outcome, jobId, ageMs]) => ({
    position,
    state,
    paymentRequestId,
    outcome,
    jobId,
    ageMs,
  }))

export type Claim = Omit<z.output<typeof EarlierClaim>, 'position' | 'state'> & {
  state: 'NEW' | 'OPEN' | 'CONCLUDED' | 'INCONSISTENT' | 'UNREADABLE'
}

/** The claim of an order that was not claimed before. */
export const newClaim = (
  { paymentRequestId = randomUUID() }: PlaceOrderRequest,
  jobId: string,
): Claim => ({
  state: 'NEW',
  paymentRequestId,
  outcome: '',
  jobId,
  ageMs: 0,
})

export function acceptedOf({ state, paymentRequestId, outcome }: Claim): Accepted {
  assert(state !== 'UNREADABLE', 'the record is of a newer version or damaged')
  if (state === 'INCONSISTENT') return { kind: 'INCONSISTENT' }
  if (state === 'CONCLUDED')
    return { kind: 'CONCLUDED', paymentRequestId, outcome: readOutcome(outcome) }
  return { kind: 'OPEN', paymentRequestId, repeated: state === 'OPEN' }
}
