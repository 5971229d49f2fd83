import { Client, type ClientConfig, Pool, type PoolClient } from 'pg'
import { parseIntoClientConfig } from 'pg-connection-string'

/** How long a statement, a wait for a lock and a pause within a transaction may take (ms). */
const STATEMENT_MS_MAX = 10_000

/**
 * A statement may take so much longer (ms) as seen from here: a database that is gone without a
 * word cancels nothing.
 */
const SILENCE_MS = 2_000
const CONNECT_MS_MAX = 5_000
/** A migration may find a PostgreSQL that starts with everything else. */
const MIGRATION_CONNECT_MS_MAX = 30_000

export type DatabaseOptions = {
  url: string
  /** How many connections are open at most. */
  connectionsMax?: number
  /** Called with what befell a connection that nobody was using. */
  onFault?: (error: unknown, what: string) => void
  /** How long a connection and a statement may take (ms). */
  statementMsMax?: number
  /** For migrations, which may take long. */
  unbounded?: boolean
}

/** Opens connections to a PostgreSQL as they are needed. */
export function openPool({
  url,
  connectionsMax = 4,
  onFault = () => {},
  statementMsMax = STATEMENT_MS_MAX,
  unbounded = false,
}: DatabaseOptions): Pool {
  const bounds = {
    statement_timeout: statementMsMax,
    lock_timeout: statementMsMax,
    idle_in_transaction_session_timeout: statementMsMax,
    query_timeout: statementMsMax + SILENCE_MS,
  }
  const pool = new Pool({
    Client: UrlClient,
    connectionString: url,
    max: connectionsMax,
    application_name: 'placeorder',
    connectionTimeoutMillis: Math.min(CONNECT_MS_MAX, statementMsMax),
    keepAlive: true,
    ...(unbounded ? { connectionTimeoutMillis: MIGRATION_CONNECT_MS_MAX } : bounds),
  })
  // A statement under way fails with its connection. An error without a listener ends the process.
  pool.on('connect', (client) => void client.on('error', () => {}))
  pool.on('error', (error) =>
    onFault(error, 'a connection to PostgreSQL failed and is opened again'),
  )
  return pool
}

/**
 * Reads the files that the URL names anew for each connection, with or without a byte order mark.
 */
class UrlClient extends Client {
  constructor({ connectionString = '', ...options }: ClientConfig = {}) {
    const { ssl, ...config } = parseIntoClientConfig(connectionString)
    super({ ...options, ...config, ...(ssl === undefined ? {} : { ssl: withoutMarks(ssl) }) })
  }
}

const withoutMarks = (ssl: NonNullable<ClientConfig['ssl']>): ClientConfig['ssl'] =>
  typeof ssl === 'boolean'
    ? ssl
    : Object.fromEntries(
        Object.entries(ssl).map(([name, value]) => [
          name,
          typeof value === 'string' ? value.replace(/^\uFEFF/, '') : value,
        ]),
      )

/** Runs `body` in a transaction; what it throws takes all back. */
export async function transaction<T>(
  pool: Pool,
  body: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
    const result = await body(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error))
    await client.query('ROLLBACK').then(
      () => {
        failure = undefined
      },
      () => {}, // The connection is of no more use: it is closed below.
    )
    throw error
  } finally {
    client.release(failure)
  }
}
