import type { Metrics } from './metrics.ts'

/** What can say how many orders are open in a shard, and when the oldest was claimed (ms). */
export type Backlogged = {
  backlog: (shard: number) => Promise<{ open: number; oldest: number | undefined }>
}

/** Reads how many orders are open, and for how long; what was known stands while Redis does not say. */
export async function readBacklog(
  orders: Backlogged,
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
