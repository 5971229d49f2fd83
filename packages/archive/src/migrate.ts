import type { Pool } from 'pg'
import { ArchiveFault, isUndefinedTable, reportedError } from './archive-fault.ts'
import { openPool } from './database.ts'
import { maintainPartitions } from './partitions.ts'
import {
  MIGRATIONS_LOCK_TABLE,
  MIGRATIONS_TABLE,
  SqlMigrations,
  sqlMigrations,
} from './sql-migrations.ts'

/** What an archive's keeping of requests needs. */
export type Maintenance = {
  /** For how many months requests are kept; 0: for ever. */
  requestsKeepMonths: number
  /** In ms. */
  now: number
}

/** What was done, in words: partitions that were made and dropped. */
export type Maintained = { made: string[]; dropped: string[] }

/**
 * Brings the schema up to date. Resolves with the names of the migrations that were run; those that
 * ran stay.
 */
export async function migrate(url: string): Promise<string[]> {
  const { Migrator } = await import('kysely/migration')
  const { kyselyOn } = await import('./kysely-on.ts')
  return withPool(url, async (pool) => {
    const migrator = new Migrator({
      db: kyselyOn(pool),
      provider: new SqlMigrations(),
      migrationTableName: MIGRATIONS_TABLE,
      migrationLockTableName: MIGRATIONS_LOCK_TABLE,
    })
    const { error, results = [] } = await migrator.migrateToLatest()
    if (error !== undefined) throw error
    return results.map(({ migrationName }) => migrationName)
  })
}

/**
 * Makes the partitions of this month and of those to come, and drops those that are kept no longer.
 */
export function maintain(url: string, maintenance: Maintenance): Promise<Maintained> {
  return withPool(url, async (pool) => {
    await checkSchema(pool)
    return maintainPartitions(pool, maintenance)
  })
}

async function withPool<T>(url: string, body: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = openPool({ url, connectionsMax: 2, unbounded: true })
  try {
    return await body(pool)
  } catch (error) {
    throw reportedError(error)
  } finally {
    await pool.end()
  }
}

/**
 * Makes sure that the schema is at least as new as this program. A newer one serves it, so that
 * programs follow a migration.
 *
 * @throws ArchiveFault
 */
export async function checkSchema(pool: Pool): Promise<void> {
  const needed = sqlMigrations().at(-1)?.name ?? ''
  const { rows } = await pool
    .query(`SELECT name FROM ${MIGRATIONS_TABLE} ORDER BY name DESC LIMIT 1`)
    .catch((error: unknown) => {
      if (isUndefinedTable(error)) return { rows: [] }
      throw reportedError(error)
    })
  const found = rows[0]?.name
  if (typeof found === 'string' && found >= needed) return
  const what = typeof found === 'string' ? `is at ${found}` : 'is not there'
  throw new ArchiveFault(
    `the schema of the archive ${what}, ${needed} is needed: run npm run archive -- migrate`,
  )
}
