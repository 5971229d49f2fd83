import { setImmediate } from 'node:timers/promises'
import { type Group, TooLate, Undecided } from '@placeorder/store'
import { decidePart, tellGivenUp } from './decide-part.ts'
import type { ProcessDeps } from './process-deps.ts'
import { givenUp, type Undecidable } from './verdict.ts'

/**
 * A larger group is decided in parts, so that Redis works on one of them while the next is judged. Measured with 64 orders in hand:
 * a twentieth more orders a second than in one part; with parts half as large it is gone again.
 */
const PART_ORDERS_MAX = 32

/** An undecided order is tried again after this many ms, then after twice as many, and so on. */
const RETRY_MS = 500

/**
 * Decides the orders of one job: fetches what they need, judges each purely, takes from limits for those that passed,
 * and concludes them. Each order is judged and retried on its own; those that can be concluded do not wait for the rest.
 */
export async function processGroup(group: Group, deps: ProcessDeps): Promise<void> {
  deps.seen.taken(group)
  try {
    const undecided = await decideGroup(group, deps)
    if (undecided.length > 0) await tryAgainLater(group, undecided, deps)
  } catch (reason) {
    if (reason instanceof TooLate) throw reason // None of them is to blame: all are looked at again.
    const openAt = await deps.store.usage.time()
    const paymentIds = await stillOpen(group, deps)
    if (isAlone(group)) {
      for (const paymentId of paymentIds)
        if (!(await endsForAge(group, { paymentId, openAt, reason }, deps))) throw reason
      return
    }
    // One of them may be what it failed of: alone, it fails alone.
    await tryAgainLater(
      group,
      paymentIds.map((paymentId) => ({ paymentId, reason })),
      deps,
    )
  }
}

/**
 * Gives an order up if it had all its time, whatever it is that fails: its record, or what it counts in, may be damaged. So nothing
 * is read of it but when it was claimed.
 */
async function endsForAge(
  group: Group,
  { paymentId, openAt, reason }: Undecidable & { openAt: string },
  deps: ProcessDeps,
): Promise<boolean> {
  const { orders, conclusion } = deps.store
  const claimedAt = await orders.claimedAt(paymentId)
  if (claimedAt === undefined || Number(openAt) - claimedAt < deps.decideWithinMs) return false
  const [outcome] = await conclusion.conclude(group.shard, [givenUp(paymentId, claimedAt)], openAt)
  if (outcome !== undefined) deps.seen.concluded(paymentId, outcome, group)
  if (outcome === 'PROCESS_FAIL') await tellGivenUp(paymentId, reason, deps)
  return true
}

/** Decides a group, part by part. Resolves with the orders that cannot be decided now, once all parts are done. */
async function decideGroup(group: Group, deps: ProcessDeps): Promise<Undecidable[]> {
  const deciding = partsOf(distinct(group.paymentIds)).map(async (part, before) => {
    for (let n = 0; n < before; n += 1) await setImmediate() // Those before it are on their way then.
    return decidePart(group, part, deps)
  })
  const done = await Promise.allSettled(deciding)
  const failed = done.find((part) => part.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return done.flatMap((part) => (part.status === 'fulfilled' ? part.value : []))
}

/** Whether it is all that its job is answerable for. */
const isAlone = ({ paymentIds, joined }: Group): boolean => paymentIds.length === 1 && !joined

const distinct = (paymentIds: string[]): string[] => [...new Set(paymentIds)]

/** As few parts as can be, of about one size. */
function partsOf(paymentIds: string[]): string[][] {
  const parts = Math.ceil(paymentIds.length / PART_ORDERS_MAX)
  const size = Math.ceil(paymentIds.length / parts)
  return Array.from({ length: parts }, (_, n) => paymentIds.slice(n * size, (n + 1) * size))
}

/** The orders of a job that it is still answerable for: an order that is concluded names no job. */
async function stillOpen(
  { shard, jobId, paymentIds }: Group,
  { store }: ProcessDeps,
): Promise<string[]> {
  const named = distinct(paymentIds)
  const jobIds = await store.orders.jobsOf(shard, named)
  return named.filter((_, i) => jobIds[i] === jobId)
}

/**
 * Orders that cannot be decided now leave their group, each for a job of its own. An order already alone stays in its
 * job, which BullMQ runs again after the back-off.
 */
async function tryAgainLater(
  group: Group,
  undecidable: Undecidable[],
  { store, seen }: ProcessDeps,
): Promise<void> {
  for (const { paymentId, reason } of undecidable) seen.undecided(paymentId, reason, group)
  const undecided = undecidable.map(({ paymentId }) => ({
    paymentId,
    jobId: group.jobId,
    trace: group.traces?.[paymentId],
  }))
  if (!isAlone(group)) {
    await store.mending.postpone(group.shard, undecided, RETRY_MS)
    return
  }
  await store.mending.tellUndecided(group.shard, undecided)
  throw new Undecided('the order cannot be decided now', { cause: undecidable[0]?.reason })
}
