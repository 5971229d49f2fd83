import assert from 'node:assert/strict'
import { amountsIn, type FinalCode, type OrderState } from '@placeorder/protocol'
import { z } from 'zod'
import { archiveKey, forgottenKey, namesOf, type OrderId, orderKey, shardOf } from '../keys.ts'
import { Fields, type OrderRecord, recordFields, recordOf } from '../orders/orders.ts'
import { partsOf, readOutcome } from '../outcome.ts'
import type { RedisConnection } from '../redis/connection.ts'
import { Script } from '../redis/script.ts'
import { type ArchivedOrder, notRecalled, type Recall } from './archived-orders.ts'
import { type Filters, readsOf } from './filters.ts'

/** An order in Redis, or in the archive alone. */
export type FoundOrder = {
  archived: boolean
  pspId: string
  state: OrderState & { outcome: FinalCode | undefined }
}

/** Finds an order of any age. */
export class OrderFinder {
  readonly #script = new Script('find-order', ['maybe-forgotten'])
  readonly #connection: RedisConnection
  readonly #shards: number
  readonly #filters: Filters
  readonly #recall: Recall

  constructor(
    connection: RedisConnection,
    { shards, filters, recall }: { shards: number; filters: Filters; recall: Recall },
  ) {
    this.#connection = connection
    this.#shards = shards
    this.#filters = filters
    this.#recall = recall
  }

  /**
   * Resolves with undefined if the order was never claimed. The archive is asked only for an order
   * that Redis may have forgotten; rejects if nothing is known then.
   */
  async find(orderId: OrderId): Promise<FoundOrder | undefined> {
    const shard = shardOf(orderId, this.#shards)
    const [state, ...words] = await this.#look(shard, orderId)
    if (state === 'ABSENT') return undefined
    if (state === 'RECORD') {
      const record = recordOf(orderId, Fields.parse(words))
      return record && inRedis(orderId, record)
    }
    const [archiveId, version] = Forgotten.parse(words)
    const [recalled] = await this.#recall({ shard, orderIds: [orderId], archiveId, version })
    assert(recalled !== undefined, 'the archive answers for each order')
    if (recalled.kind === 'ABSENT') return undefined
    if (recalled.kind !== 'FOUND') throw notRecalled(recalled)
    return inArchive(orderId, recalled.order)
  }

  #look(shard: number, orderId: OrderId): Promise<Look> {
    return this.#filters.use(shard, async ({ generation, filters }) => {
      const keys = [
        orderKey(shard, orderId),
        archiveKey(shard),
        ...filters.map(({ n }) => forgottenKey(shard, n)),
      ]
      const reads = readsOf([orderId], filters)
      const args = [generation, recordFields.length, ...recordFields, ...reads]
      const reply = await this.#script.run(this.#connection, keys, args)
      return reply === 'STALE' ? reply : Look.parse(reply)
    })
  }
}

const inRedis = (orderId: OrderId, record: OrderRecord): FoundOrder => ({
  archived: false,
  pspId: record.order.pspId,
  state: { ...record, paymentId: namesOf(orderId).paymentId },
})

function inArchive(orderId: OrderId, order: ArchivedOrder): FoundOrder {
  const { code, passThroughInfo } = partsOf(readOutcome(order.outcome))
  return {
    archived: true,
    pspId: order.pspId,
    state: {
      paymentId: namesOf(orderId).paymentId,
      paymentRequestId: order.paymentRequestId,
      order: amountsIn(order.terms),
      claimedAt: order.claimedAt,
      outcome: code,
      passThroughInfo,
      concludedAt: order.concludedAt,
    },
  }
}

/** What the script has found. */
const Look = z.tuple([z.enum(['RECORD', 'MAYBE', 'ABSENT'])], z.string().nullable())
type Look = z.output<typeof Look>

const Forgotten = z.tuple([z.string(), z.coerce.number()])
