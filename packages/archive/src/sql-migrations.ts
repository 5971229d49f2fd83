import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Migration, MigrationProvider } from 'kysely/migration'

/** Where the migrator notes what it has done. */
export const MIGRATIONS_TABLE = 'archive_migrations'
export const MIGRATIONS_LOCK_TABLE = 'archive_migrations_lock'

const folder = join(import.meta.dirname, 'migrations')

/** The numbered `.sql` files, oldest first, each by its name without the ending. */
export const sqlMigrations = (): { name: string; sql: string }[] =>
  readdirSync(folder)
    .filter((file) => /^\d{4}_[a-z0-9_]+\.sql$/.test(file))
    .sort()
    .map((file) => ({
      name: file.slice(0, -'.sql'.length),
      sql: readFileSync(join(folder, file), 'utf8'),
    }))

/**
 * Gives these files to kysely's Migrator. They only go forward: a database that is newer than its
 * programs serves them.
 */
export class SqlMigrations implements MigrationProvider {
  async getMigrations(): Promise<Record<string, Migration>> {
    const { CompiledQuery } = await import('kysely')
    return Object.fromEntries(
      sqlMigrations().map(({ name, sql }) => [
        name,
        { up: async (db) => void (await db.executeQuery(CompiledQuery.raw(sql))) },
      ]),
    )
  }
}

/** All that `migrate` does to an empty database, as SQL for whoever runs it by hand. */
export function printedMigrations(): string {
  const names = sqlMigrations().map(({ name }) => name)
  const noted = names
    .map((name) => `INSERT INTO ${MIGRATIONS_TABLE} VALUES ('${name}', now()::text);\n`)
    .join('')
  return [
    'BEGIN;\n',
    ...sqlMigrations().map(({ name, sql }) => `-- ${name}\n${sql}`),
    '-- What was done, so that programs know the schema.\n' +
      `CREATE TABLE ${MIGRATIONS_TABLE} ` +
      '(name varchar(255) PRIMARY KEY, timestamp varchar(255) NOT NULL);\n' +
      `CREATE TABLE ${MIGRATIONS_LOCK_TABLE} ` +
      '(id varchar(255) PRIMARY KEY, is_locked integer NOT NULL DEFAULT 0);\n' +
      `INSERT INTO ${MIGRATIONS_LOCK_TABLE} VALUES ('migration_lock', 0);\n${noted}`,
    'COMMIT;\n',
  ].join('\n')
}
