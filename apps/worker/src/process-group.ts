import { setImmediate } from 'node:timers/promises'
import { type Facts, recentUsed, takings } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'
import {
  type Group,
  type Judged,
  type OpenOrder,
  TooLate,
  Undecided,
  type WorkerStore,
} from '@placeorder/store'
import { inBatches } from './in-batches.ts'
import { judgeOrder, type Rulebook } from './judge-order.ts'

export type ProcessDeps = {
  store: Pick<WorkerStore, 'orders' | 'lookup' | 'usage' | 'conclusion' | 'mending'>
  rulebook: () => Rulebook
  /** How long the acquirer's checks of one group may take (ms). */
  checksMs: number
  /** How long after its claim an order may stay undecided (ms). */
  decideWithinMs: number
  seen: Seen
}

/** What an operator is told of. */
export type Seen = {
  taken: (group: Group) => void
  /** How long Redis took to give what orders are judged by (ms). */
  redisAnswered: (ms: number) => void
  /** How long orders of a group were in a stage (s). */
  stage: (stage: 'decide' | 'conclude', seconds: number) => void
  /** Decisions stand, and with them what each has taken. */
  decided: (judged: Judged[]) => void
  concluded: (paymentId: string, outcome: FinalCode, group: Group) => void
  /** An order cannot be decided now and is tried again later. */
  undecided: (paymentId: string, reason: unknown, group: Group) => void
  /** An order could not be decided in all the time it had, and was concluded PROCESS_FAIL. */
  gaveUp: (paymentId: string, reason: unknown) => void
}

/** An open order, and what it was judged to, or why it could not be judged; both, if it is given up. */
type Verdict = Decided | { record: OpenOrder; reason: unknown }
type Decided = { record: OpenOrder; judged: Judged; reason?: unknown }

/** An order that cannot be decided now, and why. */
type Undecidable = { paymentId: string; reason: unknown }

/**
 * Older orders (ms) are not judged any more: nobody has waited for an answer for long, and what the limits of their
 * day have given is not kept for ever.
 */
const AGE_MS_MAX = 24 * 3_600_000

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

/** Decides some orders of a group. Resolves with those that cannot be decided now. */
async function decidePart(
  group: Group,
  paymentIds: string[],
  deps: ProcessDeps,
): Promise<Undecidable[]> {
  const { lookup, usage } = deps.store
  const rulebook = deps.rulebook()
  const openAt = await usage.time()
  const startedAt = performance.now()
  const { open, unreadable } = await lookup.lookUp(
    group,
    paymentIds,
    recentUsed(rulebook.policy),
    openAt,
  )
  deps.seen.redisAnswered(performance.now() - startedAt)
  // By Redis's clock, as their claims are: that of this machine may be wrong.
  const ageMs = ({ claimedAt }: OpenOrder) =>
    Number(openAt) + performance.now() - startedAt - claimedAt
  // Only the acquirer's checks take time; without any, a timer for each group would be waste.
  const signal =
    rulebook.checks.length === 0
      ? group.signal
      : AbortSignal.any([AbortSignal.timeout(deps.checksMs), group.signal])
  const verdicts = open.map(({ record, facts }) =>
    isOverdue(ageMs(record), group, deps)
      ? Promise.resolve({ record, reason: 'it was not decided in time' })
      : verdictOn(record, facts, rulebook, signal),
  )
  const undecided: Undecidable[] = unreadable.map(({ paymentId, error: reason }) => ({
    paymentId,
    reason,
  }))
  for await (const batch of inBatches(verdicts)) {
    const verdicts = batch.map((verdict) => orGiveUp(verdict, ageMs(verdict.record), deps))
    await conclude(
      group,
      verdicts.filter((verdict) => 'judged' in verdict),
      { startedAt, openAt },
      deps,
    )
    for (const verdict of verdicts) {
      if (!('judged' in verdict))
        undecided.push({ paymentId: verdict.record.order.paymentId, reason: verdict.reason })
    }
  }
  return undecided
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
 * Whether an order has to end without being judged once more: it is very old, or had all its time and a worker died with
 * it in hand, perhaps of it.
 */
function isOverdue(
  ageMs: number,
  { orphaned }: Group,
  { decideWithinMs }: Pick<ProcessDeps, 'decideWithinMs'>,
): boolean {
  return ageMs > AGE_MS_MAX || (orphaned && ageMs > decideWithinMs)
}

async function verdictOn(
  record: OpenOrder,
  facts: Facts | Error,
  rulebook: Rulebook,
  signal: AbortSignal,
): Promise<Verdict> {
  try {
    if (facts instanceof Error) return { record, reason: facts }
    const code = await judgeOrder(facts, rulebook, signal)
    return { record, judged: judgedOf(record, code, facts, rulebook) }
  } catch (reason) {
    return { record, reason }
  }
}

function judgedOf(
  { order, claimedAt }: OpenOrder,
  judged: FinalCode,
  facts: Facts,
  { policy }: Rulebook,
): Judged {
  const passed = judged === 'SUCCESS'
  return {
    paymentId: order.paymentId,
    claimedAt,
    judged,
    takings: passed ? takings(facts, policy) : [],
    orderCode: passed && facts.code?.type === 'ORDER_CODE' ? order.codeValue : undefined,
  }
}

/** So that every order ends: one that had all its time and is still undecided was not placed. */
function orGiveUp(verdict: Verdict, ageMs: number, { decideWithinMs }: ProcessDeps): Verdict {
  if ('judged' in verdict || ageMs < decideWithinMs) return verdict
  const { record } = verdict
  return { ...verdict, judged: givenUp(record.order.paymentId, record.claimedAt) }
}

const givenUp = (paymentId: string, claimedAt: number): Judged => ({
  paymentId,
  claimedAt,
  judged: 'PROCESS_FAIL',
  takings: [],
  orderCode: undefined,
})

/** Once it is its outcome: an order that is given up may have been placed by whoever had it before. */
async function tellGivenUp(
  paymentId: string,
  reason: unknown,
  { store, seen }: ProcessDeps,
): Promise<void> {
  seen.gaveUp(paymentId, reason)
  await store.orders.gaveUp(paymentId, Date.now())
}

/** The decision is fixed first, with what it takes; then it becomes the outcome. Both keep what was first. */
async function conclude(
  group: Group,
  verdicts: Decided[],
  { startedAt, openAt }: { startedAt: number; openAt: string },
  deps: ProcessDeps,
): Promise<void> {
  if (verdicts.length === 0) return
  const { store, seen } = deps
  const judgements = verdicts.map(({ judged }) => judged)
  const judgedAt = performance.now()
  seen.stage('decide', (judgedAt - startedAt) / 1000)
  const standing = await store.conclusion.conclude(group.shard, judgements, openAt)
  seen.stage('conclude', (performance.now() - judgedAt) / 1000)
  seen.decided(judgements)
  for (const [i, verdict] of verdicts.entries()) {
    const outcome = standing[i]
    if (outcome === undefined) continue
    const { paymentId } = verdict.judged
    seen.concluded(paymentId, outcome, group)
    // A check of the acquirer's may say PROCESS_FAIL, too: that is no giving up.
    if ('reason' in verdict && outcome === 'PROCESS_FAIL')
      await tellGivenUp(paymentId, verdict.reason, deps)
  }
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
