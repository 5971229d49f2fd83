import type { Facts, Recent, RecentCounter } from '@placeorder/decision'
import { type PlaceOrderRequest, unpackRequest } from '@placeorder/protocol'
import { Cluster } from 'ioredis'
import { z } from 'zod'
import { digestOf, namesOf, type OrderId, orderIdOf, orderKey } from '../keys.ts'
import { type LookupIds, lookupIdsOf } from '../orders/lookup-ids.ts'
import type { Orders } from '../orders/orders.ts'
import type { OrderGroup } from '../queue/group-worker.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { readable } from '../redis/readable.ts'
import { Script } from '../redis/script.ts'
import type { Directory, DirectoryRecords } from './directory.ts'
import { laterThan, type RedisTime } from './limit-usage.ts'
import { type CountPlan, Counts, type RecentOrders } from './recent-orders.ts'

/** An order that is open and names the job that asks. `claimedAt` in ms. */
export type OpenOrder = {
  orderId: OrderId
  order: PlaceOrderRequest
  clientId: string
  claimedAt: number
  jobId: string
}

/** An open order and all that judging it needs, or why that cannot be had. */
export type OrderWithFacts = { record: OpenOrder; facts: Facts | Error }

/** Orders that are concluded, name another job or were never claimed are neither. */
export type LookupResult = {
  open: OrderWithFacts[]
  unreadable: { orderId: OrderId; error: Error }[]
}

type LookupGroup = Pick<OrderGroup, 'shard' | 'jobId' | 'subjects'>

/** Where what orders are judged by is kept. */
type LookupParts = { orders: Orders; directory: Directory; recent: RecentOrders }

/**
 * Looks up what orders are judged by. Where one node keeps all keys, and the job says whose orders they are, it is one round trip
 * with one sync; else it is two: for the records, and for what they name.
 */
export class Lookup {
  readonly #script = new Script('look-up', ['count-recent'])
  readonly #connection: RedisConnection
  readonly #parts: LookupParts
  readonly #oneNode: boolean

  /** `oneNode`: it keeps all keys. */
  constructor(
    connection: RedisConnection,
    rooms: LookupParts,
    oneNode = !(connection instanceof Cluster),
  ) {
    this.#connection = connection
    this.#parts = rooms
    this.#oneNode = oneNode
  }

  /**
   * Looks up orders of a job, and counts the open ones in among the recent orders of their subjects.
   *
   * @param used the counters that some rule mentions; the others are 0
   * @param openAsOf what `LimitUsage.time` said before
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
    const counting = this.#parts.recent.plan(subjects, used, laterThan(openAsOf))
    return this.#singleNode(group, orderIds, subjects, counting, used)
  }

  async #singleNode(
    { shard, jobId }: LookupGroup,
    orderIds: OrderId[],
    subjects: LookupIds[],
    counting: CountPlan,
    used: readonly RecentCounter[],
  ): Promise<LookupResult> {
    const keys = [...orderIds.map((orderId) => orderKey(shard, orderId)), ...counting.keys]
    const [reply, found] = await Promise.all([
      this.#script.run(this.#connection, keys, [jobId, counting.told, ...orderIds]),
      this.#parts.directory.find(
        subjects.map(({ merchant }) => merchant),
        subjects.map(({ code }) => code),
      ),
    ])
    const [requests, clientIds, claimTimes, counts] = Reply.parse(reply)
    const recents = counting.recents(counts, Math.max(...claimTimes))
    const answer: LookupResult = { open: [], unreadable: [] }
    const misnamed: OrderId[] = []
    for (const [i, orderId] of orderIds.entries()) {
      const [request, clientId = '', claimedAt = 0] = [requests[i], clientIds[i], claimTimes[i]]
      if (!request) continue
      const order = readable(() => unpackRequest(request, namesOf(orderId)))
      if (order instanceof Error) answer.unreadable.push({ orderId, error: order })
      else if (!areSame(lookupIdsOf(order), subjects[i])) misnamed.push(orderId)
      else {
        const record = { orderId, order, clientId, claimedAt, jobId }
        answer.open.push({ record, facts: factsOf(record, found, recents[i]) })
      }
    }
    if (misnamed.length === 0) return answer
    // The job says of them what a repeat said, which is not what was claimed.
    const { open, unreadable } = await this.#cluster({ shard, jobId }, misnamed, used)
    return { open: [...answer.open, ...open], unreadable: [...answer.unreadable, ...unreadable] }
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

/** The orders' packed requests, clients and claim times (ms), '' and 0 for those left alone; and the counts. */
const Reply = z.tuple([
  z.array(z.string()),
  z.array(z.string()),
  z.array(z.coerce.number()),
  Counts,
])
