import type { OrderGroup, OrderId, RedisTime } from '@placeorder/store'
import type { ProcessDeps } from './process-deps.ts'
import { abandonedOrder, ageAt, type Undecidable } from './verdict.ts'

/**
 * Abandons an order that was not decided within DECIDE_WITHIN_MS, whatever it is that fails: its
 * record or its counters may be damaged, so nothing of it is read but when it was claimed.
 */
export async function abandonIfOverdue(
  group: OrderGroup,
  { orderId, openAsOf, reason }: Undecidable & { openAsOf: RedisTime },
  deps: ProcessDeps,
): Promise<boolean> {
  const { orders, conclusion } = deps.store
  const claimedAt = await orders.claimedAt(orderId)
  if (claimedAt === undefined) return false
  const sentAt = (await orders.sentAt(group.shard, [orderId])).get(orderId) ?? 0
  if (ageAt(openAsOf.now, Math.max(claimedAt, sentAt)) < deps.decideWithinMs) return false
  const [outcome] = await conclusion.conclude(group, [abandonedOrder(orderId, claimedAt)], openAsOf)
  if (outcome instanceof Error) deps.observer.unreadable(orderId, outcome)
  else if (outcome !== undefined) deps.observer.concluded(orderId, outcome, group)
  if (outcome === 'PROCESS_FAIL') await reportAbandoned(orderId, reason, deps)
  return true
}

/**
 * Called once PROCESS_FAIL is the outcome: an order that is abandoned may have been placed by the
 * worker that had it before.
 */
export async function reportAbandoned(
  orderId: OrderId,
  reason: unknown,
  { store, observer }: ProcessDeps,
): Promise<void> {
  observer.abandoned(orderId, reason)
  await store.orders.noteAbandoned(orderId, Date.now())
}
