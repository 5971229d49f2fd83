import { type Facts, recentUsed } from '@placeorder/decision'
import type { OpenOrder, OrderGroup, OrderId, RedisTime } from '@placeorder/store'
import { abandonIfOverdue, reportAbandoned } from './abandon.ts'
import { inBatches } from './in-batches.ts'
import { isIsolated } from './isolation/stalls.ts'
import { judgeOrder } from './judge-order.ts'
import type { ProcessDeps } from './process-deps.ts'
import {
  ageAt,
  type DecidedOrder,
  isOverdue,
  orAbandon,
  type Undecidable,
  verdictFor,
} from './verdict.ts'

/** Decides some orders of a group. Resolves with those that cannot be decided now. */
export async function decidePart(
  group: OrderGroup,
  orderIds: OrderId[],
  deps: ProcessDeps,
): Promise<Undecidable[]> {
  const { lookup, usage } = deps.store
  const rulebook = deps.rulebook()
  const openAsOf = await usage.time()
  const startedAt = performance.now()
  const { open, unreadable } = await lookup.lookUp(
    group,
    orderIds,
    recentUsed(rulebook.policy),
    openAsOf,
  )
  deps.observer.redisAnswered(performance.now() - startedAt)
  const ageSince = (claimedAt: number) =>
    ageAt(openAsOf.now + performance.now() - startedAt, claimedAt)
  // Redis's clock may have been behind when an order was claimed. The time of its ingress is read
  // only where its age may soon matter.
  const old = open.filter(({ record }) => ageSince(record.claimedAt) >= deps.decideWithinMs / 2)
  const sentAt = await deps.store.orders.sentAt(
    group.shard,
    old.map(({ record }) => record.orderId),
  )
  const ageMs = ({ orderId, claimedAt }: OpenOrder) =>
    ageSince(Math.max(claimedAt, sentAt.get(orderId) ?? 0))
  // Only the acquirer's checks take long; without any, a timer for each group would be a waste.
  const signal =
    rulebook.checks.length === 0
      ? group.signal
      : AbortSignal.any([AbortSignal.timeout(deps.checksMs), group.signal])
  const judge = (facts: Facts) =>
    isIsolated(group)
      ? deps.judgeIsolated(facts, rulebook, group.signal)
      : judgeOrder(facts, rulebook, signal)
  const verdicts = open.map(({ record, facts }) =>
    isOverdue(ageMs(record), group, deps)
      ? Promise.resolve({ record, reason: 'it was not decided in time' })
      : verdictFor(record, facts, rulebook, judge),
  )
  const undecided: Undecidable[] = []
  for (const { orderId, error: reason } of unreadable) {
    if (!(await abandonIfOverdue(group, { orderId, openAsOf, reason }, deps)))
      undecided.push({ orderId, reason })
  }
  for await (const batch of inBatches(verdicts)) {
    const verdicts = batch.map((verdict) => orAbandon(verdict, ageMs(verdict.record), deps))
    await conclude(
      group,
      verdicts.filter((verdict) => 'judged' in verdict),
      { startedAt, openAsOf },
      deps,
    )
    for (const verdict of verdicts) {
      if (!('judged' in verdict))
        undecided.push({ orderId: verdict.record.orderId, reason: verdict.reason })
    }
  }
  return undecided
}

/**
 * First the decision is fixed, with its limit uses; then it becomes the outcome. For both, the
 * first one stands.
 */
async function conclude(
  group: OrderGroup,
  verdicts: DecidedOrder[],
  { startedAt, openAsOf }: { startedAt: number; openAsOf: RedisTime },
  deps: ProcessDeps,
): Promise<void> {
  if (verdicts.length === 0) return
  const { store, observer } = deps
  const judgements = verdicts.map(({ judged }) => judged)
  const judgedAt = performance.now()
  observer.stage('decide', (judgedAt - startedAt) / 1000)
  const isWhole = verdicts.length === new Set(group.orderIds).size
  const standing = await store.conclusion.conclude(
    group,
    judgements,
    openAsOf,
    isWhole ? group.roundEnd : undefined,
  )
  observer.stage('conclude', (performance.now() - judgedAt) / 1000)
  observer.decided(judgements)
  for (const [i, verdict] of verdicts.entries()) {
    const outcome = standing[i]
    if (outcome === undefined) continue
    const { orderId } = verdict.judged
    if (outcome instanceof Error) {
      observer.unreadable(orderId, outcome)
      continue
    }
    observer.concluded(orderId, outcome, group)
    // A check of the acquirer's may answer PROCESS_FAIL, too: such an order is not abandoned.
    if ('reason' in verdict && outcome === 'PROCESS_FAIL')
      await reportAbandoned(orderId, verdict.reason, deps)
  }
}
