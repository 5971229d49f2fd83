import { type Facts, limitUses } from '@placeorder/decision'
import {
  type JudgedOrder,
  type OpenOrder,
  type OrderGroup,
  type OrderId,
  type Outcome,
  partsOf,
} from '@placeorder/store'
import { isIsolated } from './isolation/stalls.ts'
import type { Rulebook } from './judge-order.ts'
import type { ProcessDeps } from './process-deps.ts'

/** An open order, and what it was judged to, or why it could not be judged; both, if it is given up. */
export type OrderVerdict = DecidedOrder | { record: OpenOrder; reason: unknown }
export type DecidedOrder = { record: OpenOrder; judged: JudgedOrder; reason?: unknown }

/** An order that cannot be decided now, and why. */
export type Undecidable = { orderId: OrderId; reason: unknown }

/**
 * Older orders (ms) are not judged any more: nobody has waited for an answer for long, and what the limits of their
 * day have given is not kept for ever.
 */
const AGE_MS_MAX = 24 * 3_600_000

/**
 * How old an order is at a time (ms) by Redis's clock, as its claim is, or by this machine's, whichever says less: for its
 * age an order may end, and one wrong clock is to end none.
 */
export const ageAt = (redisNow: number, claimedAt: number): number =>
  Math.min(redisNow, Date.now()) - claimedAt

/**
 * Whether an order has to end without being judged once more: it is very old, or had all its time and a worker died with
 * it in hand, perhaps of it.
 */
export function isOverdue(
  ageMs: number,
  group: OrderGroup,
  { decideWithinMs }: Pick<ProcessDeps, 'decideWithinMs'>,
): boolean {
  return ageMs > AGE_MS_MAX || ((group.stalled > 0 || isIsolated(group)) && ageMs > decideWithinMs)
}

export async function verdictFor(
  record: OpenOrder,
  facts: Facts | Error,
  rulebook: Rulebook,
  judge: (facts: Facts) => Promise<Outcome>,
): Promise<OrderVerdict> {
  try {
    if (facts instanceof Error) return { record, reason: facts }
    const outcome = await judge(facts)
    return { record, judged: judgedOf(record, outcome, facts, rulebook) }
  } catch (reason) {
    return { record, reason }
  }
}

function judgedOf(
  { orderId, order, claimedAt }: OpenOrder,
  outcome: Outcome,
  facts: Facts,
  { policy }: Rulebook,
): JudgedOrder {
  const { code: judged, passThroughInfo } = partsOf(outcome)
  const passed = judged === 'SUCCESS'
  return {
    orderId,
    claimedAt,
    judged,
    passThroughInfo,
    limitUses: passed ? limitUses(facts, policy) : [],
    orderCode: passed && facts.code?.type === 'ORDER_CODE' ? order.codeValue : undefined,
  }
}

/** So that every order ends: one that had all its time and is still undecided was not placed. */
export function orAbandon(
  verdict: OrderVerdict,
  ageMs: number,
  { decideWithinMs }: ProcessDeps,
): OrderVerdict {
  if ('judged' in verdict || ageMs < decideWithinMs) return verdict
  const { record } = verdict
  return { ...verdict, judged: abandonedOrder(record.orderId, record.claimedAt) }
}

export const abandonedOrder = (orderId: OrderId, claimedAt: number): JudgedOrder => ({
  orderId,
  claimedAt,
  judged: 'PROCESS_FAIL',
  limitUses: [],
  orderCode: undefined,
})
