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

/** An open order and its judgement, or the reason why it has none; both, if it is abandoned. */
export type OrderVerdict = DecidedOrder | { record: OpenOrder; reason: unknown }
export type DecidedOrder = { record: OpenOrder; judged: JudgedOrder; reason?: unknown }

/** An order that cannot be decided now, and why. */
export type Undecidable = { orderId: OrderId; reason: unknown }

/**
 * Older orders (ms) are not judged any more: no caller waits, and the limit usage of their day is
 * not kept for ever.
 */
const AGE_MS_MAX = 24 * 3_600_000

/**
 * The age of an order (ms) by Redis's clock, which its claim is dated by, or by this machine's,
 * whichever is less: an order may be abandoned for its age, and one wrong clock must not cause
 * that.
 */
export const ageAt = (redisNow: number, claimedAt: number): number =>
  Math.min(redisNow, Date.now()) - claimedAt

/**
 * Whether an order must end without being judged again: it is very old, or is overdue and a worker
 * died with it in flight, perhaps because of it.
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
    ...(passed ? codeToHold(order, facts) : { orderCode: undefined }),
  }
}

/** An order code, which then accepts no other order until it has expired. */
function codeToHold(
  { codeValue }: OpenOrder['order'],
  { code }: Facts,
): Pick<JudgedOrder, 'orderCode' | 'orderCodeExpiresAt'> {
  if (code?.type !== 'ORDER_CODE') return { orderCode: undefined }
  const { expiresAt } = code
  return {
    orderCode: codeValue,
    orderCodeExpiresAt: expiresAt == null ? undefined : Date.parse(expiresAt),
  }
}

/** Every order ends: one that is overdue and still undecided was not placed. */
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
