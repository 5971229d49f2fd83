import type { Pool } from 'pg'
import type { FoundOrder } from './archived-order.ts'
import type { Tables } from './kysely-on.ts'
import type { ShardOfArchive } from './write-batch.ts'

/** The two ids that name an order. */
export type OrderNames = { acquirerId: string; paymentId: string }

/** What the archive says of orders, and how new it is: both in one statement. */
export type LookedUp = {
  /** The version of the shard; undefined where the database does not know it. */
  version: number | undefined
  /** Those that are there. */
  found: FoundOrder[]
}

/**
 * Looks orders of one shard up. That one is not found counts only with a version that is high
 * enough.
 */
export async function lookUp(
  pool: Pool,
  { archiveId, shard }: ShardOfArchive,
  names: OrderNames[],
): Promise<LookedUp> {
  const { rows } = await pool.query({
    name: 'look-up',
    text: `SELECT known.version AS shard_version, found.*
           FROM archive_shards known LEFT JOIN (
             SELECT orders.* FROM unnest($3::text[], $4::text[]) AS asked(acquirer_id, payment_id)
             JOIN orders ON orders.acquirer_id = asked.acquirer_id
               AND orders.payment_id = asked.payment_id
           ) found ON true
           WHERE known.archive_id = $1 AND known.shard = $2`,
    values: [
      archiveId,
      shard,
      names.map(({ acquirerId }) => acquirerId),
      names.map(({ paymentId }) => paymentId),
    ],
  })
  return {
    version: rows[0] === undefined ? undefined : Number(rows[0].shard_version),
    found: rows.flatMap((row) => (row.acquirer_id === null ? [] : [foundOrder(row)])),
  }
}

/** An order as a row of `orders` has it. */
export const foundOrder = (row: Tables['orders']): FoundOrder => ({
  acquirerId: row.acquirer_id,
  paymentId: row.payment_id,
  paymentRequestId: row.payment_request_id,
  terms: row.terms,
  outcome: row.outcome,
  pspId: row.psp_id,
  clientId: row.client_id,
  merchantId: row.merchant_id,
  claimedAt: row.claimed_at.getTime(),
  concludedAt: row.concluded_at.getTime(),
  archivedAt: row.archived_at.getTime(),
  shard: row.shard,
  version: Number(row.version),
})
