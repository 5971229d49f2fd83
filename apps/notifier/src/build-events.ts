import { eventOf, passes, type SinkEntry } from '@placeorder/events'
import { type FailedDelivery, type NotifierStore, sinkJobId } from '@placeorder/store'
import type { BuiltEvent, ReadEntry } from './entry-reader.ts'
import type { Outcomes } from './outcomes.ts'

export type BuildDeps = {
  store: Pick<NotifierStore, 'streams'>
  outcomes: Pick<Outcomes, 'of'>
  entry: SinkEntry
}

/** The events of each entry; undefined for one that was lost with its master, as its orders. */
export type BuiltEvents = {
  built: (BuiltEvent[] | undefined)[]
  /** The events of orders that cannot be read. */
  unreadable: FailedDelivery[]
}

/**
 * Makes the events that a sink wants of the orders of some entries of one shard.
 *
 * @throws NotReplicated: a lost master could still take one of the outcomes back
 */
export async function buildEvents(
  shard: number,
  entries: ReadEntry[],
  deps: BuildDeps,
): Promise<BuiltEvents> {
  const orderIds = entries.flatMap((entry) => entry.orderIds)
  const read = (await deps.outcomes.of(shard, orderIds)).values()
  const found = entries.map((entry) => ({
    entry,
    orders: entry.orderIds.map((orderId) => ({
      orderId,
      jobId: sinkJobId(orderId, entry.source === 'replay' ? entry.id : undefined),
      outcome: read.next().value ?? new Error('there is no outcome of it'),
    })),
  }))
  const doubtful = found.filter(({ orders }) =>
    orders.some(({ outcome }) => outcome instanceof Error),
  )
  const lost = await lostOf(
    shard,
    doubtful.map(({ entry }) => entry),
    deps,
  )
  const unreadable: FailedDelivery[] = []
  const built = found.map(({ entry, orders }) => {
    if (lost.has(entry)) return undefined
    return orders.flatMap(({ orderId, jobId, outcome }) => {
      if (outcome instanceof Error) {
        unreadable.push({ id: jobId, orderId, reason: outcome.message })
        return []
      }
      const event = eventOf(outcome, deps.entry.full)
      return passes(deps.entry, event) ? [{ event, orderId, jobId }] : []
    })
  })
  return { built, unreadable }
}

/** Those that are not in their stream any more. */
async function lostOf(
  shard: number,
  entries: ReadEntry[],
  { store, entry: sink }: BuildDeps,
): Promise<Set<ReadEntry>> {
  const lost = new Set(entries)
  for (const [source, its] of Map.groupBy(entries, (entry) => entry.source))
    for (const entry of await store.streams.group(shard, sink.name, source).kept(its))
      lost.delete(entry)
  return lost
}
