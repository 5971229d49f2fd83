import { setTimeout as wait } from 'node:timers/promises'
import {
  type Archive,
  differences,
  type FoundOrder,
  openArchive,
  orderToArchive,
} from '@placeorder/archive'
import { unpackRequest } from '@placeorder/protocol'
import {
  type ConcludedRecord,
  digestOf,
  isOutcome,
  namesOf,
  type OperatorStore,
  type OrderId,
  type OrderRecord,
  openOperatorStore,
  orderIdOf,
  partsOf,
  shardOf,
} from '@placeorder/store'
import type { System } from '@placeorder/testkit'

export type Compared = {
  /** What is wrong, by orderId. */
  wrong: ReadonlyMap<string, string>
  /** The orders that only the archive has. */
  forgotten: readonly ArchivedRecord[]
}

/** What the archive alone has of an order. */
export type ArchivedRecord = Pick<
  OrderRecord,
  'order' | 'clientId' | 'claimedAt' | 'paymentRequestId' | 'outcome'
>

/**
 * What an archiver that died had is taken over after 30 s, and what could not be forgotten is tried
 * again after 5 s. A busy machine takes longer.
 */
const CAUGHT_UP_MS_MAX = 120_000

/** How often both are looked at (ms). */
const LOOK_MS = 200

/** How long a PostgreSQL may take to answer on a busy machine (ms). */
const ANSWER_MS_MAX = 60_000

/** Redis and the archive of a system, as a checker looks at them. */
export class BothStores {
  readonly #system: Pick<System, 'address' | 'shards'>
  readonly #archiveId: string

  constructor(system: Pick<System, 'address' | 'shards'>, archiveId: string) {
    this.#system = system
    this.#archiveId = archiveId
  }

  switchOn(): Promise<void> {
    return this.#withStore(async ({ states }) => {
      for (const shard of this.#shards) await states.switchOn(shard, this.#archiveId)
    })
  }

  /** The versions of all shards that Redis knows to be committed. */
  committed(): Promise<number[]> {
    return this.#withStore(({ states }) =>
      Promise.all(this.#shards.map(async (shard) => (await states.of(shard))?.committed ?? 0)),
    )
  }

  /** Those that the PostgreSQL at `url` has; on a busy machine it may not answer at once. */
  async versions(url: string): Promise<number[]> {
    const archive = openArchive({ url, connectionsMax: 1 })
    const deadline = performance.now() + ANSWER_MS_MAX
    try {
      for (;;) {
        try {
          return (await archive.shards(this.#archiveId)).map(({ version }) => version)
        } catch (error) {
          if (performance.now() > deadline) throw error
          await wait(LOOK_MS)
        }
      }
    } finally {
      await archive.close()
    }
  }

  /** Waits until all that is concluded is archived, and nothing set aside, a bounded time. */
  untilArchived(): Promise<void> {
    return this.#withStore(({ outbox, states }) =>
      until(async () => {
        const all = await Promise.all(this.#shards.map((shard) => outbox.progress(shard)))
        const setAside = await Promise.all(this.#shards.map((one) => states.countSetAside(one)))
        return (
          all.every((progress) => progress?.oldest === undefined) &&
          setAside.every((count) => count === 0)
        )
      }),
    )
  }

  /**
   * Waits until Redis has forgotten all orders, a bounded time; none is open. Resolves with those
   * that it still has.
   */
  untilForgotten(): Promise<OrderId[]> {
    return this.#withStore(async ({ allOrders }) => {
      const kept = async () => {
        const orderIds: OrderId[] = []
        for (const shard of this.#shards)
          for await (const page of allOrders.of(shard)) orderIds.push(...page)
        return orderIds
      }
      await until(async () => (await kept()).length === 0)
      return kept()
    })
  }

  /**
   * Compares both while no process runs: each order must be in Redis or in the archive, and equal
   * where it is in both.
   */
  compare(archive: Archive): Promise<Compared> {
    return this.#withStore(async (store) => {
      const wrong = new Map<string, string>()
      const kept = new Set<OrderId>()
      for (const shard of this.#shards) {
        for await (const orderIds of store.allOrders.of(shard)) {
          const where = { archiveId: this.#archiveId, shard }
          const { found } = await archive.lookUp(where, orderIds.map(namesOf))
          const byId = new Map(found.map((order) => [orderIdOf(order), order]))
          const records = await store.records.read(shard, orderIds)
          for (const [i, orderId] of orderIds.entries()) {
            kept.add(orderId)
            const what = difference(records[i], byId.get(orderId))
            if (what !== undefined) wrong.set(orderId, what)
          }
        }
      }
      const forgotten: ArchivedRecord[] = []
      for await (const page of archive.scan()) {
        const alone = page.filter((order) => !kept.has(orderIdOf(order)))
        for (const order of alone) forgotten.push(await readArchived(order, archive))
        for (const orderId of await unknownToRedis(alone, store))
          wrong.set(orderId, 'is archived, and neither in Redis nor in a filter')
      }
      return { wrong, forgotten }
    })
  }

  get #shards(): number[] {
    return Array.from({ length: this.#system.shards }, (_, shard) => shard)
  }

  async #withStore<T>(body: (store: OperatorStore) => Promise<T>): Promise<T> {
    const { address, shards } = this.#system
    const store = await openOperatorStore({ address, shards, onFault: () => {} })
    try {
      return await body(store)
    } finally {
      await store.close()
    }
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + CAUGHT_UP_MS_MAX
  while (!(await isSo()) && performance.now() < deadline) await wait(LOOK_MS)
}

/** What is wrong with an order of Redis in the archive. */
function difference(
  record: ConcludedRecord | Error | undefined,
  there: FoundOrder | undefined,
): string | undefined {
  if (record === undefined || record instanceof Error)
    return there && 'is not concluded in Redis, and is in the archive'
  if (there === undefined) return 'is missing in the archive'
  const names = differences(orderToArchive(record, digestOf), there)
  return names.length === 0 ? undefined : `differs in ${names.join(', ')} in the archive`
}

async function readArchived(order: FoundOrder, archive: Archive): Promise<ArchivedRecord> {
  const { clientId, claimedAt, paymentRequestId, outcome } = order
  const packed = (await archive.requestOf(order)) ?? ''
  return {
    order: unpackRequest(packed, order),
    clientId,
    claimedAt,
    paymentRequestId,
    outcome: isOutcome(outcome) ? partsOf(outcome).code : undefined,
  }
}

/** Those that are in no filter: they would be claimed again. */
async function unknownToRedis(
  orders: FoundOrder[],
  { forgetting, shards }: OperatorStore,
): Promise<OrderId[]> {
  const orderIds = orders.map((order) => orderIdOf(order))
  const unknown: OrderId[] = []
  for (const [shard, ids] of Map.groupBy(orderIds, (orderId) => shardOf(orderId, shards))) {
    const mayHave = await forgetting.mayHave(shard, ids)
    unknown.push(...ids.filter((_, i) => !mayHave[i]))
  }
  return unknown
}
