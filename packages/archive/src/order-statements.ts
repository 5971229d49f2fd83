import assert from 'node:assert/strict'
import type { PoolClient, QueryResult } from 'pg'
import type { OrderToArchive } from './archived-order.ts'
import { textArray, timeArray } from './binary-arrays.ts'

// The statements that write orders, each prepared once a connection.

type Column = { type: 'text' | 'timestamptz'; of: (orders: OrderToArchive[]) => Buffer }

const texts = (of: (order: OrderToArchive) => string | undefined): Column => ({
  type: 'text',
  of: (orders) => textArray(orders.map(of)),
})
const times = (of: (order: OrderToArchive) => number): Column => ({
  type: 'timestamptz',
  of: (orders) => timeArray(orders.map(of)),
})

/** The columns of `orders` that are compared. */
const compared: Record<string, Column> = {
  acquirer_id: texts((order) => order.acquirerId),
  payment_id: texts((order) => order.paymentId),
  payment_request_id: texts((order) => order.paymentRequestId),
  terms: texts((order) => order.terms),
  outcome: texts((order) => order.outcome),
  psp_id: texts((order) => order.pspId),
  client_id: texts((order) => order.clientId),
  merchant_id: texts((order) => order.merchantId),
  claimed_at: times((order) => order.claimedAt),
  concluded_at: times((order) => order.concludedAt),
}

/** Those of `order_requests` besides. */
const ofRequest: Record<string, Column> = {
  store_id: texts((order) => order.storeId),
  amount: texts((order) => order.amount),
  currency: texts((order) => order.currency),
  code_digest: texts((order) => order.codeDigest),
  customer_digest: texts((order) => order.customerDigest),
  request: texts((order) => order.request),
}

const namesOf = (columns: Record<string, Column>): string => Object.keys(columns).join(', ')
const valuesOf = (columns: Record<string, Column>, orders: OrderToArchive[]): Buffer[] =>
  Object.values(columns).map(({ of }) => of(orders))
/** The orders as rows: an array for each column, the first one as $1. */
const givenAs = (columns: Record<string, Column>): string =>
  `unnest(${Object.values(columns)
    .map(({ type }, i) => `$${i + 1}::${type}[]`)
    .join(', ')}) AS given(${namesOf(columns)})`

const all = { ...compared, ...ofRequest }
const parameters = Object.keys(all).length

/**
 * One statement for both tables: a request is kept if its order was not there, and only then; what
 * both have travels once.
 */
const insertText = `
  WITH given AS (SELECT * FROM ${givenAs(all)}),
  taken AS (
    INSERT INTO orders (${namesOf(compared)}, shard, version)
    SELECT ${namesOf(compared)}, $${parameters + 1}::integer, $${parameters + 2}::bigint FROM given
    ON CONFLICT (acquirer_id, payment_id) DO NOTHING RETURNING acquirer_id, payment_id
  ),
  kept AS (
    INSERT INTO order_requests (acquirer_id, payment_id, claimed_at, merchant_id, store_id, amount,
      currency, code_digest, customer_digest, request)
    SELECT acquirer_id, payment_id, claimed_at, merchant_id, store_id, amount::numeric, currency,
      code_digest, customer_digest, request
    FROM given JOIN taken USING (acquirer_id, payment_id)
    ON CONFLICT (acquirer_id, payment_id, claimed_at) DO NOTHING
  )
  SELECT count(*)::integer AS taken FROM taken`

/** Writes the orders that are not there, with their requests. Resolves with their number. */
export async function insertOrders(
  client: PoolClient,
  orders: OrderToArchive[],
  shard: number,
  version: number,
): Promise<number> {
  if (orders.length === 0) return 0
  const { rows } = await client.query({
    name: 'insert-orders',
    text: insertText,
    values: [...valuesOf(all, orders), shard, version],
  })
  return Number(rows[0]?.taken)
}

const row = (name: string) =>
  `(${Object.keys(compared)
    .map((column) => `${name}.${column}`)
    .join(', ')})`

/** Resolves with those of orders that are there which are not equal to what is there. */
export async function contradicted(
  client: PoolClient,
  orders: OrderToArchive[],
): Promise<OrderToArchive[]> {
  const { rows }: QueryResult = await client.query({
    name: 'compare-orders',
    text: `SELECT given.acquirer_id, given.payment_id,
             ${row('kept')} IS NOT DISTINCT FROM ${row('given')} AS equal
           FROM ${givenAs(compared)} JOIN orders AS kept
           ON kept.acquirer_id = given.acquirer_id AND kept.payment_id = given.payment_id`,
    values: valuesOf(compared, orders),
  })
  assert(rows.length === orders.length, 'an order that was not inserted is there')
  const keyOf = (acquirerId: string, paymentId: string) => JSON.stringify([acquirerId, paymentId])
  const equal = new Set(
    rows.flatMap((row) => (row.equal ? [keyOf(row.acquirer_id, row.payment_id)] : [])),
  )
  return orders.filter(({ acquirerId, paymentId }) => !equal.has(keyOf(acquirerId, paymentId)))
}
