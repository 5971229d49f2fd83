import type { Archive, FoundOrder } from '@placeorder/archive'
import { type NotifierStore, orderIdOf, type SinkBacklog, shardOf } from '@placeorder/store'

export type BacklogDeps = {
  store: Pick<NotifierStore, 'streams' | 'sinkStates' | 'outbox' | 'acquirers'>
  archive: Pick<Archive, 'concluded'>
  shards: number
}

/** A replay names so many orders at most, as many as a group has. */
const REPLAY_ORDERS = 64

/** While so many replays of a shard wait, no more are added: they are in Redis's memory. */
const REPLAYS_MAX = 200

/** Pages are read so many at a time, in some 100 ms each. */
const PAGES_MAX = 20

/**
 * An order is in the archive once its entry is; entry and order may be dated by this much apart
 * (ms).
 */
const APART_MS = 1_000

/** Has the outcomes sent that were concluded before a sink was there, out of the archive. */
export class Backlog {
  readonly #deps: BacklogDeps

  constructor(deps: BacklogDeps) {
    this.#deps = deps
  }

  /** Sends some more of them, unless another notifier does. May run again at any point. */
  async send(sink: string): Promise<void> {
    const { sinkStates } = this.#deps.store
    const backlog = await sinkStates.takeBacklog(sink)
    if (backlog === undefined) return
    try {
      await this.#sendSome(sink, backlog)
    } finally {
      await sinkStates.releaseBacklog(sink)
    }
  }

  async #sendSome(sink: string, backlog: SinkBacklog): Promise<void> {
    const { archive, store } = this.#deps
    const archivedTo = await this.#archivedTo(backlog.to)
    const { after } = backlog
    const pages = archive.concluded({ from: backlog.from, to: archivedTo, after })
    for (let page = 0; page < PAGES_MAX; page += 1) {
      if (await this.#isFull(sink)) return
      const { done, value } = await pages.next()
      if (done === true) {
        if (archivedTo === backlog.to) await store.sinkStates.noteBacklog(sink, undefined)
        return
      }
      await this.#replay(sink, value)
      const last = value.at(-1)
      if (last === undefined) return
      const { concludedAt, acquirerId, paymentId } = last
      const sent = { ...backlog, after: { concludedAt, acquirerId, paymentId } }
      await store.sinkStates.noteBacklog(sink, sent)
    }
  }

  /** Orders concluded before this time are archived. */
  async #archivedTo(to: number): Promise<number> {
    const { store, shards } = this.#deps
    let archivedTo = Math.min(to, Date.now())
    for (let shard = 0; shard < shards; shard += 1) {
      const { oldest } = (await store.outbox.progress(shard)) ?? {}
      if (oldest !== undefined) archivedTo = Math.min(archivedTo, oldest - APART_MS)
    }
    return archivedTo
  }

  async #isFull(sink: string): Promise<boolean> {
    const { store, shards } = this.#deps
    for (let shard = 0; shard < shards; shard += 1) {
      const { replays = 0 } = (await store.streams.progress(shard, sink)) ?? {}
      if (replays >= REPLAYS_MAX) return true
    }
    return false
  }

  async #replay(sink: string, page: FoundOrder[]): Promise<void> {
    const { store, shards } = this.#deps
    // Other installations may share the database.
    const acquirers = new Set(await store.acquirers.all())
    const orderIds = page.filter(({ acquirerId }) => acquirers.has(acquirerId)).map(orderIdOf)
    for (const [shard, ids] of Map.groupBy(orderIds, (orderId) => shardOf(orderId, shards)))
      for (let from = 0; from < ids.length; from += REPLAY_ORDERS)
        await store.streams.replay(shard, sink, ids.slice(from, from + REPLAY_ORDERS))
  }
}
