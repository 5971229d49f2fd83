import type { Pool } from 'pg'
import type { FoundOrder } from './archived-order.ts'
import { foundOrder } from './look-up.ts'

/** An order with the digest of its code; undefined where its request was dropped. */
export type ScannedOrder = FoundOrder & { codeDigest: string | undefined }

/** So many orders come at a time. */
const PAGE_ORDERS = 1_000

/**
 * All orders in the database, of every installation that shares it, page by page. Those that are
 * archived meanwhile may be among them. No transaction is open between two pages.
 */
export async function* scanOrders(pool: Pool): AsyncGenerator<ScannedOrder[]> {
  let [acquirerId, paymentId] = ['', '']
  for (;;) {
    const { rows } = await pool.query({
      name: 'scan-orders',
      text: `SELECT page.*, request.code_digest FROM (
               SELECT * FROM orders WHERE (acquirer_id, payment_id) > ($1, $2)
               ORDER BY acquirer_id, payment_id LIMIT ${PAGE_ORDERS}
             ) page LEFT JOIN order_requests request
               ON request.acquirer_id = page.acquirer_id
               AND request.payment_id = page.payment_id AND request.claimed_at = page.claimed_at
             ORDER BY page.acquirer_id, page.payment_id`,
      values: [acquirerId, paymentId],
    })
    const last = rows.at(-1)
    if (last === undefined) return
    ;[acquirerId, paymentId] = [last.acquirer_id, last.payment_id]
    yield rows.map((row) => ({ ...foundOrder(row), codeDigest: row.code_digest ?? undefined }))
  }
}
