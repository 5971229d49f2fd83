import type { Archive, FoundOrder } from '@placeorder/archive'
import type { OrderOutcome } from '@placeorder/events'
import { finalCode, unpackRequest } from '@placeorder/protocol'
import {
  type ConcludedRecord,
  type NotifierStore,
  NotReplicated,
  namesOf,
  type OrderId,
  orderIdOf,
  partsOf,
  readable,
} from '@placeorder/store'

export type OutcomesDeps = {
  store: Pick<NotifierStore, 'records' | 'durability' | 'states'>
  /** Where the orders are that Redis has forgotten; undefined without an archive. */
  archive: Pick<Archive, 'lookUp' | 'requestOf'> | undefined
}

/** What became of orders: from Redis, or from the archive once Redis has forgotten them. */
export class Outcomes {
  readonly #deps: OutcomesDeps

  constructor(deps: OutcomesDeps) {
    this.#deps = deps
  }

  /**
   * The outcomes of orders of one shard, in the same order; an Error for one that cannot be read.
   *
   * @throws NotReplicated: a lost master could still take one of them back
   */
  async of(shard: number, orderIds: OrderId[]): Promise<(OrderOutcome | Error)[]> {
    const { records, durability } = this.#deps.store
    const read = await records.read(shard, orderIds)
    const fences = read.map(async (record) =>
      record instanceof Error
        ? true
        : durability.replicated(record.orderId, record.outcome, record.paymentRequestId),
    )
    if (!(await Promise.all(fences)).every(Boolean))
      throw new NotReplicated('too few replicas have what is to be delivered')
    const missing = orderIds.filter((_, i) => read[i] instanceof Error)
    const archived = await this.#archived(shard, missing)
    return read.map((record, i) => {
      if (!(record instanceof Error)) return outcomeOfRecord(record)
      return archived.get(orderIds[i] ?? '') ?? record
    })
  }

  async #archived(shard: number, orderIds: OrderId[]): Promise<Map<string, OrderOutcome | Error>> {
    const { archive, store } = this.#deps
    if (archive === undefined || orderIds.length === 0) return new Map()
    const archiveId = await store.states.archiveId()
    if (archiveId === undefined) return new Map()
    const { found } = await archive.lookUp({ archiveId, shard }, orderIds.map(namesOf))
    const outcomes = found.map(async (order) => {
      const packed = await archive.requestOf(order)
      return [orderIdOf(order), readable(() => outcomeOfRow(order, packed))] as const
    })
    return new Map(await Promise.all(outcomes))
  }
}

function outcomeOfRecord(record: ConcludedRecord): OrderOutcome {
  const { order, paymentRequestId, outcome, claimedAt, concludedAt } = record
  return {
    acquirerId: order.acquirerId,
    paymentId: order.paymentId,
    paymentRequestId,
    pspId: order.pspId,
    code: partsOf(outcome).code,
    paymentAmount: order.paymentAmount,
    settlementAmount: order.settlementAmount,
    referenceMerchantId: order.merchant.referenceMerchantId,
    referenceStoreId: order.merchant.store?.referenceStoreId,
    claimedAt,
    concludedAt,
    personal: order,
  }
}

/** The request of an old order may have been dropped: its event is without what only that has. */
function outcomeOfRow(row: FoundOrder, packed: string | undefined): OrderOutcome {
  const [paid = '', paidIn = '', settled = '', settledIn = ''] = row.terms.split(' ')
  const request = packed === undefined ? undefined : unpackRequest(packed, row)
  const [code = ''] = row.outcome.split(' ')
  return {
    acquirerId: row.acquirerId,
    paymentId: row.paymentId,
    paymentRequestId: row.paymentRequestId,
    pspId: row.pspId,
    code: finalCode(code),
    paymentAmount: { value: paid, currency: paidIn },
    settlementAmount: { value: settled, currency: settledIn },
    referenceMerchantId: row.merchantId,
    referenceStoreId: request?.merchant.store?.referenceStoreId,
    claimedAt: row.claimedAt,
    concludedAt: row.concludedAt,
    personal: request,
  }
}
