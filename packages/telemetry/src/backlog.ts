import type { Metrics } from './metrics.ts'

/** Knows how many orders of a shard are open, and when the oldest was claimed (ms since 1970). */
export type BacklogSource = {
  backlog: (shard: number) => Promise<{ open: number; oldest: number | undefined }>
}

/**
 * Sets the metrics of open orders and of the age of the oldest one; they keep their values while
 * Redis does not answer.
 */
export async function readBacklog(
  orders: BacklogSource,
  shards: number,
  metrics: Pick<Metrics, 'openOrders' | 'oldestOpenOrder'>,
): Promise<void> {
  const backlogs = await Promise.all(
    Array.from({ length: shards }, (_, shard) => orders.backlog(shard)),
  )
  const now = Date.now()
  const oldest = Math.min(now, ...backlogs.map((backlog) => backlog.oldest ?? now))
  metrics.openOrders.set(backlogs.reduce((sum, { open }) => sum + open, 0))
  metrics.oldestOpenOrder.set((now - oldest) / 1000)
}

/**
 * Knows how many entries of a shard's outbox are kept, and when the oldest one was appended that is
 * not archived (ms since 1970); undefined where no archive reads.
 */
export type OutboxSource = {
  progress: (shard: number) => Promise<{ entries: number; oldest: number | undefined } | undefined>
}

/** Sets the metrics of the outbox and of how far the archive is behind. */
export async function readOutbox(
  outbox: OutboxSource,
  shards: number,
  metrics: Pick<Metrics, 'archiveLag' | 'outboxEntries'>,
): Promise<void> {
  const progress = await Promise.all(
    Array.from({ length: shards }, (_, shard) => outbox.progress(shard)),
  )
  const now = Date.now()
  const oldest = Math.min(now, ...progress.map((shard) => shard?.oldest ?? now))
  metrics.archiveLag.set((now - oldest) / 1000)
  metrics.outboxEntries.set(progress.reduce((sum, shard) => sum + (shard?.entries ?? 0), 0))
}
