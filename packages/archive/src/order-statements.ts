import assert from 'node:assert/strict'
import type { PoolClient, QueryResult } from 'pg'
import type { OrderToArchive } from './archived-order.ts'

// The statements that write orders, each prepared once a connection.

/** The ids that name an order, as one text. */
export const keyOf = ({
  acquirerId,
  paymentId,
}: {
  acquirerId: string
  paymentId: string
}): string => JSON.stringify([acquirerId, paymentId])

const time = (ms: number): string => new Date(ms).toISOString()

/** The columns of `orders` that are compared, and their types. */
const compared = {
  acquirer_id: 'text',
  payment_id: 'text',
  payment_request_id: 'text',
  terms: 'text',
  outcome: 'text',
  psp_id: 'text',
  client_id: 'text',
  merchant_id: 'text',
  claimed_at: 'timestamptz',
  concluded_at: 'timestamptz',
} as const
const columns = Object.keys(compared).join(', ')
const given = `unnest(${Object.values(compared)
  .map((type, i) => `$${i + 1}::${type}[]`)
  .join(', ')}) AS given(${columns})`

const listsOf = (orders: OrderToArchive[]): string[][] => [
  orders.map(({ acquirerId }) => acquirerId),
  orders.map(({ paymentId }) => paymentId),
  orders.map(({ paymentRequestId }) => paymentRequestId),
  orders.map(({ terms }) => terms),
  orders.map(({ outcome }) => outcome),
  orders.map(({ pspId }) => pspId),
  orders.map(({ clientId }) => clientId),
  orders.map(({ merchantId }) => merchantId),
  orders.map(({ claimedAt }) => time(claimedAt)),
  orders.map(({ concludedAt }) => time(concludedAt)),
]

/** Resolves with the keys of the orders that were not there. */
export async function insertOrders(
  client: PoolClient,
  orders: OrderToArchive[],
  shard: number,
  version: number,
): Promise<Set<string>> {
  if (orders.length === 0) return new Set()
  const { rows } = await client.query({
    name: 'insert-orders',
    text: `INSERT INTO orders (${columns}, shard, version)
           SELECT ${columns}, $11::integer, $12::bigint FROM ${given}
           ON CONFLICT (acquirer_id, payment_id) DO NOTHING RETURNING acquirer_id, payment_id`,
    values: [...listsOf(orders), shard, version],
  })
  return new Set(
    rows.map((row) => keyOf({ acquirerId: row.acquirer_id, paymentId: row.payment_id })),
  )
}

/** Resolves with those of orders that are there which are not equal to what is there. */
export async function contradicted(
  client: PoolClient,
  orders: OrderToArchive[],
): Promise<OrderToArchive[]> {
  const row = (name: string) =>
    `(${Object.keys(compared)
      .map((column) => `${name}.${column}`)
      .join(', ')})`
  const { rows }: QueryResult = await client.query({
    name: 'compare-orders',
    text: `SELECT given.acquirer_id, given.payment_id,
             ${row('kept')} IS NOT DISTINCT FROM ${row('given')} AS equal
           FROM ${given} JOIN orders AS kept
           ON kept.acquirer_id = given.acquirer_id AND kept.payment_id = given.payment_id`,
    values: listsOf(orders),
  })
  assert(rows.length === orders.length, 'an order that was not inserted is there')
  const equal = new Set(
    rows.flatMap((row) =>
      row.equal ? [keyOf({ acquirerId: row.acquirer_id, paymentId: row.payment_id })] : [],
    ),
  )
  return orders.filter((order) => !equal.has(keyOf(order)))
}

/** Keeps the requests of orders that were not there before. */
export async function insertRequests(client: PoolClient, orders: OrderToArchive[]): Promise<void> {
  if (orders.length === 0) return
  await client.query({
    name: 'insert-requests',
    text: `INSERT INTO order_requests (acquirer_id, payment_id, claimed_at, merchant_id, store_id,
             amount, currency, code_digest, customer_digest, request)
           SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[],
             $6::numeric[], $7::text[], $8::text[], $9::text[], $10::text[])
           ON CONFLICT (acquirer_id, payment_id, claimed_at) DO NOTHING`,
    values: [
      orders.map(({ acquirerId }) => acquirerId),
      orders.map(({ paymentId }) => paymentId),
      orders.map(({ claimedAt }) => time(claimedAt)),
      orders.map(({ merchantId }) => merchantId),
      orders.map(({ storeId }) => storeId ?? null),
      orders.map(({ amount }) => amount),
      orders.map(({ currency }) => currency),
      orders.map(({ codeDigest }) => codeDigest),
      orders.map(({ customerDigest }) => customerDigest ?? null),
      orders.map(({ request }) => request),
    ],
  })
}
