import { setTimeout as wait } from 'node:timers/promises'
import type { WorkerStore } from '@placeorder/store'

export type MendDeps = {
  store: {
    orders: Pick<WorkerStore['orders'], 'backlog'>
    openWalk: Pick<WorkerStore['openWalk'], 'next'>
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

/** A worker looks at so many pages of a shard in one round. The workers share the pages. */
const ROUND_PAGES_MAX = 10

/** Goes round, until `signal` aborts, looking for open orders that no job is answerable for. */
export async function keepMending(deps: MendDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await wait(ROUND_MS * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => {})
    if (!signal.aborted) await mendRound(deps).catch(deps.onFault)
  }
}

/**
 * One round over all shards. May run anywhere, any number of times at once: it goes by Redis's clock, as claims do, so that
 * a machine whose clock is ahead forgets nothing too early.
 */
export async function mendRound({
  store,
  shards,
  onRound,
}: Omit<MendDeps, 'onFault'>): Promise<void> {
  const now = Number(await store.usage.now())
  const mended: string[] = []
  let oldestOpen = now
  for (let shard = 0; shard < shards; shard += 1) {
    const { oldest = now } = await store.orders.backlog(shard)
    mended.push(...(await requeueLost(store, shard)))
    oldestOpen = Math.min(oldestOpen, oldest)
    await store.recent.unlinkLarge(shard, now)
  }
  await store.usage.forget(oldestOpen, Number(await store.usage.now()))
  await onRound(mended)
}

/** Enqueues again what no job is answerable for, of the next pages of a shard's open orders. */
async function requeueLost(store: MendDeps['store'], shard: number): Promise<string[]> {
  const mended: string[] = []
  let [pages, more] = [0, true]
  for (; more && pages < ROUND_PAGES_MAX; pages += 1) {
    const page = await store.openWalk.next(shard)
    mended.push(...(await store.mending.mendOpen(shard, page.paymentIds)))
    more = page.more
  }
  return mended
}
