import type { Archive, FoundOrder } from '@placeorder/archive'
import { namesOf, type OperatorStore, type OrderId, shardOf } from '@placeorder/store'
import { momentOf, tableOf, visible } from './print.ts'

/** What the archive has of an order; undefined if it has nothing, or there is no archive. */
export async function archivedOrder(
  orderId: OrderId,
  store: Pick<OperatorStore, 'states' | 'shards'>,
  archive: Archive | undefined,
): Promise<FoundOrder | undefined> {
  const shard = shardOf(orderId, store.shards)
  const { archiveId } = (await store.states.of(shard)) ?? {}
  if (archive === undefined || archiveId === undefined) return undefined
  return (await archive.lookUp({ archiveId, shard }, [namesOf(orderId)])).found[0]
}

/** An order as the archive has it, for a person to read. */
export function archivedText(order: FoundOrder): string {
  const facts = [
    ['paymentId', order.paymentId],
    ['paymentRequestId', order.paymentRequestId],
    ['state', `concluded ${order.outcome}`],
    ['client', order.clientId],
    ['acquirer, psp', `${order.acquirerId}, ${order.pspId}`],
    ['merchant', order.merchantId],
  ] as const
  const way = [
    [momentOf(order.claimedAt), 'claimed'],
    [momentOf(order.concludedAt), `concluded ${order.outcome}`],
    [momentOf(order.archivedAt), 'archived'],
  ]
  const lines = facts.map(([name, value]) => `${name.padEnd(18)}${visible(value)}\n`)
  return [...lines, '\n', tableOf(['when', 'what'], way)].join('')
}
