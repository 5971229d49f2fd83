import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  findPostgresServer,
  type LocalPostgres,
  startLocalPostgres,
} from '@placeorder/local-services/postgres'
import { PostgreSqlContainer } from '@testcontainers/postgresql'
import { Client } from 'pg'
import { isDockerThere, type TestServerSource } from './test-redis.ts'

/** A new database in a real PostgreSQL, as durable as production's. */
export type TestPostgres = {
  url: string
  source: TestServerSource
  /** The server, where it is of this machine and nobody else's. */
  local: LocalPostgres | undefined
  /** Runs a statement directly. */
  query: (sql: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
  /** Makes another database in the same server, and returns its URL. */
  another: () => Promise<string>
  close: () => Promise<void>
}

type Server = {
  url: string
  source: TestServerSource
  local?: LocalPostgres
  close: () => Promise<void>
}

/** The image for Testcontainers; where none can be pulled, the environment names a local one. */
const imageOf = (env: NodeJS.ProcessEnv) => env.TESTKIT_POSTGRES_IMAGE ?? 'postgres:17-alpine'

/**
 * Opens a new database for a test file: in the PostgreSQL at ARCHIVE_URL; else in a container, if a
 * Docker engine answers; else in a server process of this machine. TESTKIT_POSTGRES (url,
 * testcontainers, local) chooses. `own`: a local server that nobody else uses.
 */
export async function testPostgres({ own = false } = {}): Promise<TestPostgres> {
  const source = own ? 'local' : await sourceOf(process.env)
  const server = await serverOf(source, process.env)
  const made: string[] = []
  const another = async () => {
    const name = `test_${randomBytes(8).toString('hex')}`
    await query(server.url, `CREATE DATABASE ${name}`)
    made.push(name)
    const url = new URL(server.url)
    url.pathname = `/${name}`
    return url.href
  }
  const url = await another()
  return {
    url,
    source,
    local: server.local,
    query: (sql, values = []) => query(url, sql, values),
    another,
    close: async () => {
      if (source === 'url')
        for (const name of made) await query(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
      await server.close()
    },
  }
}

async function query(
  url: string,
  sql: string,
  values: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql, values)).rows
  } finally {
    await client.end()
  }
}

async function sourceOf(env: NodeJS.ProcessEnv): Promise<TestServerSource> {
  const { TESTKIT_POSTGRES: chosen } = env
  if (chosen === 'testcontainers' || chosen === 'local') return chosen
  if (env.ARCHIVE_URL !== undefined) return 'url'
  if (chosen === 'url') throw new Error('TESTKIT_POSTGRES=url needs ARCHIVE_URL')
  return (await isDockerThere()) ? 'testcontainers' : 'local'
}

async function serverOf(source: TestServerSource, env: NodeJS.ProcessEnv): Promise<Server> {
  if (source === 'url') return { url: env.ARCHIVE_URL ?? '', source, close: async () => {} }
  if (source === 'local') return localServer()
  const started = await new PostgreSqlContainer(imageOf(env)).start()
  return { url: started.getConnectionUri(), source, close: async () => void (await started.stop()) }
}

async function localServer(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'placeorder-postgres-'))
  const dir = join(folder, 'postgres')
  const local = await startLocalPostgres(await findPostgresServer(dir), { dir, quick: true })
  return {
    url: local.url,
    source: 'local',
    local,
    close: async () => {
      await local.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
