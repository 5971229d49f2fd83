import { setTimeout as wait } from 'node:timers/promises'
import type { WorkerStore } from '@placeorder/store'

export type MendDeps = {
  store: {
    orders: Pick<WorkerStore['orders'], 'backlog' | 'open'>
    mending: Pick<WorkerStore['mending'], 'mendOpen'>
    usage: Pick<WorkerStore['usage'], 'forget' | 'now'>
    recent: Pick<WorkerStore['recent'], 'unlinkLarge'>
  }
  shards: number
  /** Told which orders a round has enqueued again; the round ends with it. */
  onRound: (mended: string[]) => Promise<void>
  onFault: (error: unknown) => void
}

/** A round comes every 5 s, give or take a fifth, so that many workers do not all look at once. */
const ROUND_MS = 5_000

/** Younger orders than this (ms) are on their way; older ones may have lost their job. */
const ORPHAN_AGE_MS = 5_000

/** Orders looked at in one round and shard, oldest first; the next round goes on from there, and after the last begins again. */
const ROUND_ORDERS_MAX = 5_000

/** Goes round, until `signal` aborts, looking for open orders that no job is answerable for. */
export async function keepMending(deps: MendDeps, signal: AbortSignal): Promise<void> {
  const seen: number[] = []
  while (!signal.aborted) {
    await wait(ROUND_MS * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => {})
    if (!signal.aborted) await mendRound(deps, seen).catch(deps.onFault)
  }
}

/**
 * One round over all shards. May run anywhere, any number of times at once: it goes by Redis's clock, as claims do, so that
 * a machine whose clock is ahead forgets nothing too early. `seen` is how many of each shard's open
 * orders the rounds before have looked at.
 */
export async function mendRound(
  { store, shards, onRound }: MendDeps,
  seen: number[] = [],
): Promise<void> {
  const now = Number(await store.usage.now())
  const mended: string[] = []
  let oldestOpen = now
  for (let shard = 0; shard < shards; shard += 1) {
    const { oldest = now } = await store.orders.backlog(shard)
    const skip = seen[shard] ?? 0
    const paymentIds = await store.orders.open(shard, now - ORPHAN_AGE_MS, ROUND_ORDERS_MAX, skip)
    seen[shard] = paymentIds.length < ROUND_ORDERS_MAX ? 0 : skip + paymentIds.length
    mended.push(...(await store.mending.mendOpen(shard, paymentIds)))
    oldestOpen = Math.min(oldestOpen, oldest)
    await store.recent.unlinkLarge(shard, now)
  }
  await store.usage.forget(oldestOpen, Number(await store.usage.now()))
  await onRound(mended)
}
