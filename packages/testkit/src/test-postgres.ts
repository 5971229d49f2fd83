import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  findPostgresServer,
  type LocalPostgres,
  startLocalPostgres,
} from '@placeorder/local-services/postgres'
import { PostgreSqlContainer } from '@testcontainers/postgresql'
import { Client } from 'pg'
import type { Way } from './test-redis.ts'

/** A database of its own in a real PostgreSQL, as durable as production's is. */
export type TestPostgres = {
  url: string
  way: Way
  /** The server, where it is of this machine and nobody else's. */
  local: LocalPostgres | undefined
  /** Runs statements behind everybody's back. */
  query: (sql: string, values?: unknown[]) => Promise<Record<string, unknown>[]>
  /** Makes another database beside it, and gives its URL. */
  another: () => Promise<string>
  close: () => Promise<void>
}

type Server = { url: string; way: Way; local?: LocalPostgres; close: () => Promise<void> }

const run = promisify(execFile)

/** The image Testcontainers runs; a machine that can pull none names one of its own. */
const imageOf = (env: NodeJS.ProcessEnv) => env.TESTKIT_POSTGRES_IMAGE ?? 'postgres:17-alpine'

/**
 * Gives a test file a new database: in the PostgreSQL at ARCHIVE_URL; else in a container, where a Docker engine answers; else
 * in a server process of this machine. TESTKIT_POSTGRES (url, testcontainers, local) chooses. `own`: a local server that
 * nobody else uses.
 */
export async function testPostgres({ own = false } = {}): Promise<TestPostgres> {
  const way = own ? 'local' : await wayOf(process.env)
  const server = await serverOf(way, process.env)
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
    way,
    local: server.local,
    query: (sql, values = []) => query(url, sql, values),
    another,
    close: async () => {
      if (way === 'url')
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

async function wayOf(env: NodeJS.ProcessEnv): Promise<Way> {
  const { TESTKIT_POSTGRES: chosen } = env
  if (chosen === 'testcontainers' || chosen === 'local') return chosen
  if (env.ARCHIVE_URL !== undefined) return 'url'
  if (chosen === 'url') throw new Error('TESTKIT_POSTGRES=url needs ARCHIVE_URL')
  const engine = await run('docker', ['info'], { timeout: 5_000 }).then(
    () => true,
    () => false,
  )
  return engine ? 'testcontainers' : 'local'
}

async function serverOf(way: Way, env: NodeJS.ProcessEnv): Promise<Server> {
  if (way === 'url') return { url: env.ARCHIVE_URL ?? '', way, close: async () => {} }
  if (way === 'local') return localServer()
  const started = await new PostgreSqlContainer(imageOf(env)).start()
  return { url: started.getConnectionUri(), way, close: async () => void (await started.stop()) }
}

async function localServer(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'placeorder-postgres-'))
  await chmod(folder, 0o711) // Where we are root, the server's user must pass through.
  const dir = join(folder, 'postgres')
  const local = await startLocalPostgres(await findPostgresServer(dir), { dir, quick: true })
  return {
    url: local.url,
    way: 'local',
    local,
    close: async () => {
      await local.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
