import type { OrderId } from '../keys.ts'

/**
 * Orders of one shard that Redis may have forgotten, and what an archive must be to be believed
 * about them.
 */
export type MaybeForgotten = {
  shard: number
  orderIds: OrderId[]
  /** The archive that they are in if they were forgotten. */
  archiveId: string
  /** The lowest version of the shard that has all of them. */
  version: number
}

/** An order as the archive has it. Times are in ms. */
export type ArchivedOrder = {
  paymentRequestId: string
  /** What a repeat must agree in. */
  terms: string
  /** A final code, and after a space what is passed through with it. */
  outcome: string
  pspId: string
  claimedAt: number
  concludedAt: number
}

/**
 * What is known of an order that Redis may have forgotten. `FOUND` and `ABSENT` are certain; the
 * others mean that nothing is known.
 */
export type Recalled =
  | { kind: 'FOUND'; order: ArchivedOrder }
  | { kind: 'ABSENT' }
  | { kind: 'NOT_BELIEVED' | 'NO_ANSWER'; reason: string }

/** Asks an archive for orders, in their order. It has a bound on its time, and never rejects. */
export type Recall = (forgotten: MaybeForgotten) => Promise<Recalled[]>

/** Of a process without an archive. */
export const recallNothing: Recall = async ({ orderIds }) =>
  orderIds.map(() => ({ kind: 'NO_ANSWER', reason: 'ARCHIVE_URL is not set' }))

/** Why nothing is known of an order. */
export const notRecalled = ({ kind, reason }: Extract<Recalled, { reason: string }>): Error =>
  new Error(
    kind === 'NO_ANSWER'
      ? `the order may be archived, and the archive does not answer: ${reason}`
      : `the order may be archived, and the archive is not believed: ${reason}`,
  )
