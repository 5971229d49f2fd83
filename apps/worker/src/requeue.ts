import { setTimeout as wait } from 'node:timers/promises'
import type { OrderId, WorkerStore } from '@placeorder/store'
import type { ClockWatch } from './clock-watch.ts'

export type RequeueDeps = {
  store: {
    orders: Pick<WorkerStore['orders'], 'backlog'>
    openWalk: Pick<WorkerStore['openWalk'], 'next'>
    requeue: Pick<WorkerStore['requeue'], 'requeueOpen'>
    usage: Pick<WorkerStore['usage'], 'forget'>
    queues: Pick<WorkerStore['queues'], 'promoteLate'>
    recent: Pick<WorkerStore['recent'], 'unlinkLarge'>
    expiries: Pick<WorkerStore['expiries'], 'shorten'>
  }
  clocks: Pick<ClockWatch, 'check'>
  shards: number
  /** Notified of the orders that a round has requeued; the round ends when it resolves. */
  onRound: (requeued: OrderId[]) => Promise<void>
  /**
   * Notified of the number of keys with a longer expiry than is ever set: Redis's clock was ahead
   * when they were set.
   */
  onLateExpiries: (keys: number) => void
  /** Resolves once Redis may be used: no order is revived that an older state of it has. */
  passed: (signal: AbortSignal) => Promise<void>
  onFault: (error: unknown) => void
}

/** The time between rounds, plus or minus a fifth, so that workers do not all run at once. */
const ROUND_MS = 5_000

/**
 * Pages of a shard's open orders that a worker checks in one round. The workers share the pages.
 */
const ROUND_PAGES_MAX = 10

/** Requeues, round after round until `signal` aborts, open orders that have no job. */
export async function keepRequeueing(deps: RequeueDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await wait(ROUND_MS * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => {})
    await deps.passed(signal).catch(() => {})
    if (!signal.aborted) await requeueRound(deps).catch(deps.onFault)
  }
}

/**
 * One round over all shards. It may run in several workers at once, and uses no clock of this
 * machine.
 */
export async function requeueRound({
  store,
  clocks,
  shards,
  onRound,
  onLateExpiries,
}: Omit<RequeueDeps, 'onFault' | 'passed'>): Promise<void> {
  const requeued: OrderId[] = []
  const claimTimes: number[] = []
  for (let shard = 0; shard < shards; shard += 1) {
    const { oldest } = await store.orders.backlog(shard)
    if (oldest !== undefined) claimTimes.push(oldest)
    requeued.push(...(await requeueLost(store, shard)))
  }
  const oldestOpen = claimTimes.length > 0 ? Math.min(...claimTimes) : undefined
  const { now, steady } = await clocks.check(() => store.usage.forget(oldestOpen))
  let late = 0
  for (let shard = 0; shard < shards; shard += 1) {
    await store.queues.promoteLate(shard, now)
    await store.recent.unlinkLarge(shard, steady)
    late += await store.expiries.shorten(shard)
  }
  if (late > 0) onLateExpiries(late)
  await onRound(requeued)
}

/** Requeues the orders without a job on the next pages of a shard's open orders. */
async function requeueLost(store: RequeueDeps['store'], shard: number): Promise<OrderId[]> {
  const requeued: OrderId[] = []
  let [pages, more] = [0, true]
  for (; more && pages < ROUND_PAGES_MAX; pages += 1) {
    const page = await store.openWalk.next(shard)
    requeued.push(...(await store.requeue.requeueOpen(shard, page.orderIds)))
    more = page.more
  }
  return requeued
}
