import type { Pool } from 'pg'
import type { FoundOrder } from './archived-order.ts'
import { foundOrder } from './look-up.ts'

/** So many orders come at a time. */
const PAGE_ORDERS = 500

/** Orders concluded from the first time on, and before the second one (ms). */
export type ConcludedBetween = {
  from: number
  to: number
  /** Only those after this one, of those that are asked for. */
  after?: Pick<FoundOrder, 'concludedAt' | 'acquirerId' | 'paymentId'> | undefined
}

/**
 * Archived orders in the order of their conclusion, page by page, of every installation that shares
 * the database. No transaction is open between two pages. An order may be archived some seconds
 * after its conclusion.
 */
export async function* concludedBetween(
  pool: Pool,
  { from, to, after }: ConcludedBetween,
): AsyncGenerator<FoundOrder[]> {
  let last: (number | string)[] =
    after === undefined ? [from, '', ''] : [after.concludedAt, after.acquirerId, after.paymentId]
  for (;;) {
    const [concludedAt, acquirerId, paymentId] = last
    const { rows } = await pool.query({
      name: 'concluded-between',
      text: `SELECT orders.* FROM orders
             WHERE concluded_at >= $1 AND concluded_at < $2
               AND (concluded_at, acquirer_id, payment_id) > ($1, $3, $4)
             ORDER BY concluded_at, acquirer_id, payment_id LIMIT ${PAGE_ORDERS}`,
      values: [new Date(Number(concludedAt)), new Date(to), acquirerId, paymentId],
    })
    const page = rows.map(foundOrder)
    if (page.length > 0) yield page
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE_ORDERS) return
    last = [end.concludedAt, end.acquirerId, end.paymentId]
  }
}
