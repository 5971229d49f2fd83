import type { Archive, ArchivedOrder, Search } from '@placeorder/archive'
import { type OperatorStore, type OrderId, orderIdOf } from '@placeorder/store'
import { exitCode, type Screen } from '../command-line.ts'
import { momentOf, visible } from './print.ts'

/** What `find` searches by, as the command line has it. */
export type FindOptions = {
  requestId: string | undefined
  merchant: string | undefined
  from: string | undefined
  to: string | undefined
}

/** An order that Redis holds. It has no outcome while it is open. */
type Held = Omit<ArchivedOrder, 'outcome' | 'terms' | 'concludedAt'> & { outcome?: string }

/** So many records or entries are read at a time. */
const PAGE = 500

/** More orders cannot be open; see OPEN_ORDERS_MAX. */
const OPEN_MAX = 1_000_000

/** What is searched for; a text says why the options make no sense. */
export function searchOf({ requestId, merchant, from, to }: FindOptions): Search | string {
  if ((requestId === undefined) === (merchant === undefined))
    return (
      'name what to look for: --request-id <paymentRequestId>, or --merchant <id> ' +
      '--from <time> --to <time>'
    )
  if (requestId !== undefined) return { paymentRequestId: requestId }
  const [start, end] = [Date.parse(from ?? ''), Date.parse(to ?? '')]
  if (merchant === undefined || Number.isNaN(start) || Number.isNaN(end) || start >= end)
    return (
      'a merchant needs --from <time> and --to <time>, as in 2026-03-14T09:00:00Z, ' +
      'the earlier one first'
    )
  return { merchantId: merchant, from: start, to: end }
}

/**
 * Prints the orders of a search in both stores: first those that are archived, as they come; then
 * those that only Redis has, which are open or were concluded just now. Redis is looked at first,
 * so that none is missed on its way to the archive.
 */
export async function findOrders(
  searched: Search,
  { store, archive }: { store: OperatorStore; archive: Archive },
  { out, err }: { out: Screen; err: Screen },
): Promise<number> {
  const held = new Map<OrderId, Held>()
  for await (const order of recentOrders(store))
    if (fits(order, searched)) held.set(orderIdOf(order), order)
  let found = 0
  const print = (order: Held) => {
    if (found === 0)
      out.write('claimed                   outcome  acquirer  paymentId  paymentRequestId\n')
    found += 1
    const { acquirerId, paymentId, paymentRequestId, outcome = 'open' } = order
    const words = [momentOf(order.claimedAt), outcome, acquirerId, paymentId, paymentRequestId]
    out.write(`${words.map(visible).join('  ')}\n`)
  }
  for await (const page of archive.search(searched))
    for (const order of page) {
      held.delete(orderIdOf(order))
      print(order)
    }
  for (const order of held.values()) print(order)
  if (found === 0) err.write('there are no such orders\n')
  return found === 0 ? exitCode.missed : exitCode.good
}

const fits = (order: Held, searched: Search): boolean => {
  if ('paymentRequestId' in searched) return order.paymentRequestId === searched.paymentRequestId
  if ('paymentId' in searched) return order.paymentId === searched.paymentId
  const { merchantId, from, to } = searched
  return order.merchantId === merchantId && order.claimedAt >= from && order.claimedAt < to
}

/** The orders that may not be archived yet: those that are open, and those in the outbox. */
async function* recentOrders(store: OperatorStore): AsyncGenerator<Held> {
  for (let shard = 0; shard < store.shards; shard += 1) {
    const open = await store.orders.open(shard, Number.MAX_SAFE_INTEGER, OPEN_MAX)
    for (let at = 0; at < open.length; at += PAGE)
      yield* recordsOf(store, shard, open.slice(at, at + PAGE))
    for await (const orderIds of notArchived(store, shard)) yield* recordsOf(store, shard, orderIds)
  }
}

async function* recordsOf(
  { orders }: OperatorStore,
  shard: number,
  orderIds: OrderId[],
): AsyncGenerator<Held> {
  for (const record of await orders.records(shard, orderIds)) {
    if (record === undefined || record instanceof Error) continue
    const { order, outcome, clientId, paymentRequestId, claimedAt } = record
    const { acquirerId, paymentId, pspId, merchant } = order
    const merchantId = merchant.referenceMerchantId
    const ids = { acquirerId, paymentId, pspId, merchantId, clientId, paymentRequestId }
    yield { ...ids, claimedAt, ...(outcome === undefined ? {} : { outcome }) }
  }
}

async function* notArchived({ outbox }: OperatorStore, shard: number): AsyncGenerator<OrderId[]> {
  const { oldest } = (await outbox.progress(shard)) ?? {}
  if (oldest === undefined) return
  let from = `${oldest}-0`
  for (;;) {
    const entries = await outbox.from(shard, from, PAGE)
    yield entries.flatMap(({ orderIds }) => orderIds)
    const last = entries.at(-1)
    if (last === undefined || entries.length < PAGE) return
    from = `(${last.id}`
  }
}
