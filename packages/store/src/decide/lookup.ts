import type { Facts, Recent, RecentCounter } from '@placeorder/decision'
import { type PlaceOrderRequest, unpackRequest } from '@placeorder/protocol'
import { Cluster } from 'ioredis'
import { z } from 'zod'
import { digestOf, namesOf, type OrderId, orderIdOf, orderKey, recentUsedKey } from '../keys.ts'
import { type LookupIds, lookupIdsFrom, lookupIdsOf } from '../orders/lookup-ids.ts'
import type { Orders } from '../orders/orders.ts'
import type { OrderGroup } from '../queue/group-worker.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'
import { countsIn, usedText } from './claim-counts.ts'
import type { Directory, DirectoryRecords } from './directory.ts'
import { laterThan, type RedisTime } from './limit-usage.ts'
import { Counts, type RecentOrders } from './recent-orders.ts'

/** An open order of the given job. `claimedAt` in ms. */
export type OpenOrder = {
  orderId: OrderId
  order: PlaceOrderRequest
  clientId: string
  claimedAt: number
  jobId: string
}

/** An open order and all that judging it needs, or why that cannot be read. */
export type OrderWithFacts = { record: OpenOrder; facts: Facts | Error }

/** Orders that are concluded, in another job or were never claimed are in neither list. */
export type LookupResult = {
  open: OrderWithFacts[]
  unreadable: { orderId: OrderId; error: Error }[]
}

type LookupGroup = Pick<OrderGroup, 'shard' | 'jobId' | 'subjects' | 'counted'>

/** Where the facts for judging are stored. */
type LookupParts = { orders: Orders; directory: Directory; recent: RecentOrders }

/**
 * Looks up orders and the facts for judging them. Where one node holds all keys and the job has the
 * orders' lookup ids, this takes one round trip, with one sync of the append-only file, or none if
 * their claims have counted all of them (claim-counts.ts). Otherwise it takes two: one for the
 * records, one for what they name.
 */
export class Lookup {
  readonly #script = new Script('look-up', ['count-recent'])
  readonly #connection: RedisConnection
  readonly #parts: LookupParts
  readonly #oneNode: boolean

  /** `oneNode`: one node holds all keys. */
  constructor(
    connection: RedisConnection,
    parts: LookupParts,
    oneNode = !(connection instanceof Cluster),
  ) {
    this.#connection = connection
    this.#parts = parts
    this.#oneNode = oneNode
  }

  /**
   * Looks up orders of a job, and counts the open ones as recent orders of their merchants, codes
   * and customers.
   *
   * @param used the counters that some rule mentions; the others are 0
   * @param openAsOf the result of `LimitUsage.time` just before
   */
  async lookUp(
    group: LookupGroup,
    orderIds: OrderId[],
    used: readonly RecentCounter[],
    openAsOf: RedisTime,
  ): Promise<LookupResult> {
    const subjects = orderIds.flatMap((orderId) => group.subjects?.get(orderId) ?? [])
    if (!this.#oneNode || subjects.length < orderIds.length)
      return this.#cluster(group, orderIds, used)
    return this.#singleNode(group, orderIds, subjects, { used, latest: laterThan(openAsOf) })
  }

  /** The recents of the orders that their claims have counted for the same counters. */
  #countedByClaims(
    groups: LookupGroup['counted'] = [],
    used: readonly RecentCounter[],
  ): Map<OrderId, Recent> {
    const recents = new Map<OrderId, Recent>()
    for (const { orderIds, subjects, counted } of groups) {
      if (counted.used !== usedText(used)) continue
      const ids = subjects.map(lookupIdsFrom)
      const ofGroup = this.#parts.recent.recents(ids, used, countsIn(counted.counts))
      for (const [i, recent] of ofGroup.entries()) {
        const orderId = orderIds[i]
        if (orderId !== undefined) recents.set(orderId, recent)
      }
    }
    return recents
  }

  async #singleNode(
    { shard, jobId, counted }: LookupGroup,
    orderIds: OrderId[],
    subjects: LookupIds[],
    { used, latest }: { used: readonly RecentCounter[]; latest: number },
  ): Promise<LookupResult> {
    const known = this.#countedByClaims(counted, used)
    const toCount = orderIds.map((orderId, i) => (known.has(orderId) ? undefined : subjects[i]))
    const plan = this.#parts.recent.plan(toCount, used, latest)
    const records = orderIds.map((orderId) => orderKey(shard, orderId))
    const keys = [recentUsedKey(shard), ...records, ...plan.keys]
    const args = [jobId, usedText(used), plan.sets, ...orderIds]
    const [reply, found] = await Promise.all([
      this.#script.run(this.#connection, keys, args),
      this.#parts.directory.find(
        subjects.map(({ merchant }) => merchant),
        subjects.map(({ code }) => code),
      ),
    ])
    const [requests, clientIds, claimTimes, counts] = Reply.parse(reply)
    plan.note(counts, Math.max(...claimTimes))
    const recents = this.#parts.recent.recents(toCount, used, counts)
    const result: LookupResult = { open: [], unreadable: [] }
    const mismatched: OrderId[] = []
    for (const [i, orderId] of orderIds.entries()) {
      const [request, clientId = '', claimedAt = 0] = [requests[i], clientIds[i], claimTimes[i]]
      if (!request) continue
      const order = readable(() => unpackRequest(request, namesOf(orderId)))
      if (order instanceof Error) result.unreadable.push({ orderId, error: order })
      else if (!areSame(lookupIdsOf(order), subjects[i])) mismatched.push(orderId)
      else {
        const record = { orderId, order, clientId, claimedAt, jobId }
        const recent = known.get(orderId) ?? recents[i]
        result.open.push({ record, facts: factsOf(record, found, recent) })
      }
    }
    if (mismatched.length === 0) return result
    // The job has the lookup ids of a repeat, which are not those of the claimed order.
    const { open, unreadable } = await this.#cluster({ shard, jobId }, mismatched, used)
    return { open: [...result.open, ...open], unreadable: [...result.unreadable, ...unreadable] }
  }

  async #cluster(
    { shard, jobId }: LookupGroup,
    orderIds: OrderId[],
    used: readonly RecentCounter[],
  ): Promise<LookupResult> {
    const { orders, directory, recent } = this.#parts
    const records = await orders.records(shard, orderIds)
    const unreadable = orderIds.flatMap((orderId, i) => {
      const error = records[i]
      return error instanceof Error ? [{ orderId, error }] : []
    })
    const open = records.flatMap((record) =>
      record === undefined ||
      record instanceof Error ||
      record.outcome !== undefined ||
      record.jobId !== jobId
        ? []
        : [
            {
              orderId: orderIdOf(record.order),
              order: record.order,
              clientId: record.clientId,
              claimedAt: record.claimedAt,
              jobId,
            },
          ],
    )
    if (open.length === 0) return { open: [], unreadable }
    const [found, recents] = await Promise.all([
      directory.find(
        open.map(({ order }) => order.merchant.referenceMerchantId),
        open.map(({ order }) => digestOf(order.codeValue)),
      ),
      recent.count(open, used),
    ])
    return {
      open: open.map((record, i) => ({ record, facts: factsOf(record, found, recents[i]) })),
      unreadable,
    }
  }
}

const areSame = (one: LookupIds, other: LookupIds | undefined): boolean =>
  one.merchant === other?.merchant && one.code === other.code && one.customer === other.customer

function factsOf(
  { order, clientId, claimedAt }: OpenOrder,
  { merchants, codes, holders }: DirectoryRecords,
  recent: Recent | undefined,
): Facts | Error {
  const merchant = merchants.get(order.merchant.referenceMerchantId)
  const digest = digestOf(order.codeValue)
  const code = codes.get(digest)
  if (merchant instanceof Error) return merchant
  if (code instanceof Error) return code
  if (recent === undefined) return new Error('no recent orders were counted')
  const holder = holders.get(digest)
  const codeHeldBy = holder === undefined ? undefined : namesOf(holder)
  return { order, clientId, claimedAt, merchant, code, codeHeldBy, recent }
}

/**
 * The orders' packed requests, clients and claim times (ms), '' and 0 for those left out; and the
 * counts.
 */
const Reply = z.tuple([
  z.array(z.string()),
  z.array(z.string()),
  z.array(z.coerce.number()),
  Counts,
])
