import { Kysely, PostgresDialect } from 'kysely'
import type { Pool } from 'pg'

// kysely takes as long to load as all else of this package, and most processes never search or
// migrate: who does loads this file then.

/** How the tables look to kysely. Numbers of 64 bits and numerics come as text. */
export type Tables = {
  orders: {
    acquirer_id: string
    payment_id: string
    payment_request_id: string
    terms: string
    outcome: string
    psp_id: string
    client_id: string
    merchant_id: string
    claimed_at: Date
    concluded_at: Date
    archived_at: Date
    shard: number
    version: string
  }
  order_requests: {
    acquirer_id: string
    payment_id: string
    claimed_at: Date
    merchant_id: string
    store_id: string | null
    amount: string
    currency: string
    code_digest: string
    customer_digest: string | null
    request: string
  }
}

/** The same pool for searches and migrations, which are composed. */
export const kyselyOn = (pool: Pool): Kysely<Tables> =>
  new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
