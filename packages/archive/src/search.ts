import type { Kysely } from 'kysely'
import type { FoundOrder } from './archived-order.ts'
import type { Tables } from './kysely-on.ts'
import { foundOrder, type OrderNames } from './look-up.ts'

/**
 * What orders are searched by. Times are in ms: from the first one on, and before the second one.
 */
export type Search =
  | { paymentRequestId: string }
  | { paymentId: string }
  | { merchantId: string; from: number; to: number }

/**
 * So many orders come at a time: a search of a year streams, and holds no transaction open
 * meanwhile.
 */
const PAGE_ORDERS = 500

/**
 * The orders that a search finds, page by page; those of a merchant in the order of their claims.
 */
export async function* search(db: Kysely<Tables>, searched: Search): AsyncGenerator<FoundOrder[]> {
  if ('merchantId' in searched) yield* ofMerchant(db, searched)
  else yield await byId(db, searched)
}

async function byId(
  db: Kysely<Tables>,
  searched: Exclude<Search, { merchantId: string }>,
): Promise<FoundOrder[]> {
  const orders = db.selectFrom('orders').selectAll()
  const rows =
    'paymentId' in searched
      ? orders.where('payment_id', '=', searched.paymentId)
      : orders.where('payment_request_id', '=', searched.paymentRequestId)
  return (await rows.limit(PAGE_ORDERS).execute()).map(foundOrder)
}

/** By the requests, which have the index; an order whose request was dropped is not found so. */
async function* ofMerchant(
  db: Kysely<Tables>,
  { merchantId, from, to }: { merchantId: string; from: number; to: number },
): AsyncGenerator<FoundOrder[]> {
  let after: { claimed_at: Date; acquirer_id: string; payment_id: string } | undefined
  for (;;) {
    const last = after
    const rows = await db
      .selectFrom('order_requests as request')
      .innerJoin('orders', (join) =>
        join
          .onRef('orders.acquirer_id', '=', 'request.acquirer_id')
          .onRef('orders.payment_id', '=', 'request.payment_id'),
      )
      .selectAll('orders')
      .where('request.merchant_id', '=', merchantId)
      .where('request.claimed_at', '>=', new Date(from))
      .where('request.claimed_at', '<', new Date(to))
      .$if(last !== undefined, (query) =>
        query.where(({ eb, refTuple, tuple }) =>
          eb(
            refTuple('request.claimed_at', 'request.acquirer_id', 'request.payment_id'),
            '>',
            tuple(last?.claimed_at ?? new Date(0), last?.acquirer_id ?? '', last?.payment_id ?? ''),
          ),
        ),
      )
      .orderBy('request.claimed_at')
      .orderBy('request.acquirer_id')
      .orderBy('request.payment_id')
      .limit(PAGE_ORDERS)
      .execute()
    after = rows.at(-1)
    if (rows.length > 0) yield rows.map(foundOrder)
    if (rows.length < PAGE_ORDERS) return
  }
}

/** The packed request of an order; undefined if it is not archived, or was dropped. */
export async function requestOf(
  db: Kysely<Tables>,
  { acquirerId, paymentId, claimedAt }: OrderNames & { claimedAt: number },
): Promise<string | undefined> {
  const row = await db
    .selectFrom('order_requests')
    .select('request')
    .where('acquirer_id', '=', acquirerId)
    .where('payment_id', '=', paymentId)
    .where('claimed_at', '=', new Date(claimedAt))
    .executeTakeFirst()
  return row?.request
}
