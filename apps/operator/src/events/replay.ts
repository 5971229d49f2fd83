import { namesOf, type OrderId, shardOf } from '@placeorder/store'
import { exitCode } from '../command-line.ts'
import { ordersOf } from '../orders/command.ts'
import { momentOf, visible } from '../orders/print.ts'
import type { EventsDeps, OneSink } from './command.ts'
import { eachJobs, shardsOf } from './lists.ts'

type ReplayDeps = Pick<EventsDeps, 'openArchive' | 'out' | 'err'>

/** So many dead letters are read at a time. */
const PAGE_DEAD = 1_000

/** So many entries of an outbox are read at a time, and so many orders are in one of a replay. */
const PAGE_ENTRIES = 500
const REPLAY_ORDERS = 64

/** Tries all dead letters again, from the first delay on. */
export async function replayDead(
  { store, sink }: OneSink,
  { out }: Pick<ReplayDeps, 'out'>,
): Promise<number> {
  const retried = await eachJobs({ store, sink }, async (jobs) => {
    const { dead } = await jobs.counts()
    let count = 0
    while (count < dead) {
      const page = await jobs.list('dead', Math.min(dead - count, PAGE_DEAD))
      if (page.length === 0) break // Somebody else has them tried again.
      for (const { id } of page) await jobs.retry(id)
      count += page.length
    }
    return count
  })
  out.write(`${retried.reduce((sum, count) => sum + count, 0)} dead letters are tried again\n`)
  return exitCode.good
}

/** Has the events of orders sent again, wherever the orders are; says which cannot be. */
export async function replayOrders(
  { store, sink }: OneSink,
  paymentIds: string[],
  { openArchive, out, err }: ReplayDeps,
): Promise<number> {
  const acquirers = new Set(await store.acquirers.all())
  let missed = 0
  const miss = (paymentId: string, why: string) => {
    missed += 1
    err.write(`${visible(paymentId)}: ${why}\n`)
  }
  for (const paymentId of new Set(paymentIds)) {
    const found = await ordersOf(paymentId, store, { openArchive })
    // Other installations may share the database.
    const orderIds = found.filter((orderId) => acquirers.has(namesOf(orderId).acquirerId))
    if (orderIds.length === 0)
      miss(paymentId, 'there is no such order in Redis, nor in the archive if ARCHIVE_URL is set')
    for (const orderId of orderIds) {
      const record = await store.orders.record(orderId)
      if (record !== undefined && record.outcome === undefined)
        miss(paymentId, 'it is not decided yet: its event comes once it is')
      else {
        await store.streams.replay(shardOf(orderId, store.shards), sink, [orderId])
        out.write(`${visible(paymentId)}: its event is sent again\n`)
      }
    }
  }
  return missed > 0 ? exitCode.missed : exitCode.good
}

/**
 * Has the events sent again of what was concluded from one time (ms) on and before another, up to
 * now at most.
 */
export async function replayBetween(
  { store, sink }: OneSink,
  { from, to: until }: { from: number; to: number },
  { openArchive, out, err }: ReplayDeps,
): Promise<number> {
  const archive = openArchive()
  if (archive === undefined) return replayKept({ store, sink }, { from, to: until }, out)
  await archive.close()
  const to = Math.min(until, Date.now())
  if (!(await store.sinkStates.planBacklog(sink, { from, to }))) {
    err.write(`old events are being sent to ${sink}: try again once they are; sinks says how far\n`)
    return exitCode.missed
  }
  out.write(
    `notifiers send what was concluded from ${momentOf(from)} to ${momentOf(to)}, out of the ` +
      'archive;\nwhat only a request has is missing where REQUESTS_KEEP_MONTHS has dropped it\n',
  )
  return exitCode.good
}

/** Without an archive there is only what the outbox still holds for some sink. */
async function replayKept(
  { store, sink }: OneSink,
  { from, to }: { from: number; to: number },
  out: ReplayDeps['out'],
): Promise<number> {
  let sent = 0
  for (const shard of shardsOf(store)) {
    const { last } = await store.streams.extent(shard)
    for await (const orderIds of keptOrders({ store, sink }, shard, { from, to, last }))
      for (let at = 0; at < orderIds.length; at += REPLAY_ORDERS) {
        const part = orderIds.slice(at, at + REPLAY_ORDERS)
        await store.streams.replay(shard, sink, part)
        sent += part.length
      }
  }
  out.write(
    `${sent.toLocaleString('en')} events that Redis still keeps for some sink are sent again; ` +
      'the others are in an archive, if there is one: set ARCHIVE_URL\n',
  )
  return exitCode.good
}

/** Orders of a shard's outbox, entry by entry up to what is the last one now. */
async function* keptOrders(
  { store }: OneSink,
  shard: number,
  { from, to, last }: { from: number; to: number; last: string },
): AsyncGenerator<OrderId[]> {
  const end = Math.min(to, Number(last.split('-')[0]) + 1)
  for (let at = `${from}-0`; ; ) {
    const entries = await store.outbox.from(shard, at, PAGE_ENTRIES)
    for (const { id, orderIds, backfilled } of entries) {
      if (Number(id.split('-')[0]) >= end) return
      if (!backfilled) yield orderIds
      at = `(${id}`
    }
    if (entries.length < PAGE_ENTRIES) return
  }
}
