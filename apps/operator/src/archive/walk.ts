import { type FoundOrder, type OrderToArchive, orderToArchive } from '@placeorder/archive'
import { digestOf, namesOf, type OrderId } from '@placeorder/store'
import type { BothStores } from './command.ts'

/** A concluded order as Redis has it, and as the archive does. */
export type Pair = { orderId: OrderId; here: OrderToArchive; there: FoundOrder | undefined }

/** All concluded orders of a shard, page by page, with what the archive has of each. */
export async function* concludedPairs(
  { store, archive }: Pick<BothStores, 'store' | 'archive'>,
  shard: number,
): AsyncGenerator<Pair[]> {
  const { archiveId } = (await store.states.of(shard)) ?? {}
  if (archiveId === undefined)
    throw new Error(`shard ${shard} is copied to no archive: run npm run archive -- migrate`)
  for await (const orderIds of store.allOrders.of(shard)) {
    const records = await store.records.read(shard, orderIds)
    const { found } = await archive.lookUp({ archiveId, shard }, orderIds.map(namesOf))
    const byKey = new Map(found.map((order) => [keyOf(order), order]))
    yield records.flatMap((record) =>
      record instanceof Error
        ? [] // It is open; or it cannot be read, which the archiver says.
        : [
            {
              orderId: record.orderId,
              here: orderToArchive(record, digestOf),
              there: byKey.get(keyOf(record.order)),
            },
          ],
    )
  }
}

const keyOf = ({ acquirerId, paymentId }: { acquirerId: string; paymentId: string }): string =>
  JSON.stringify([acquirerId, paymentId])
