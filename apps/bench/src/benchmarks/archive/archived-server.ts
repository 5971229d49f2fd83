import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { maintain, migrate, openArchive } from '@placeorder/archive'
import { type ArchiverStore, openArchiverStore, type RedisAddress } from '@placeorder/store'
import type { Subject } from '../../test-bed/measure.ts'
import { type BenchPostgres, postgresFor } from '../../test-bed/postgres.ts'
import type { Program } from '../../test-bed/program.ts'
import type { BenchRedis } from '../../test-bed/redis.ts'
import { placeorder, type Server } from '../../test-bed/servers.ts'
import { archiverFor, redisFor, type TestBed } from '../../test-bed/test-bed.ts'

const POLL_MS = 20

/** What a Redis is copied to. */
export type BenchArchive = {
  id: string
  postgres: BenchPostgres
  /** Redis as archivers see it. */
  store: ArchiverStore
  /** Resolves once all that is concluded is copied. */
  untilCopied: () => Promise<void>
  /** Resolves once Redis has forgotten all that is concluded. */
  untilForgotten: () => Promise<void>
}

/** Starts a PostgreSQL and has what a Redis concludes copied to it by archivers. */
export async function archiveFor(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  address: RedisAddress,
): Promise<BenchArchive> {
  const postgres = await postgresFor(testBed, stack)
  await migrate(postgres.url)
  await maintain(postgres.url, { requestsKeepMonths: 0, now: Date.now() })
  const database = openArchive({ url: postgres.url })
  stack.defer(database.close)
  const store = await openArchiverStore({ address, shards: 1, onFault: () => {} })
  stack.defer(store.close)
  const id = randomUUID()
  await database.register(id, 1)
  await store.states.switchOn(0, id)
  return {
    id,
    postgres,
    store,
    untilCopied: async () => {
      while ((await store.outbox.progress(0))?.oldest !== undefined) await wait(POLL_MS)
    },
    untilForgotten: async () => {
      while (await hasMore(store)) await wait(POLL_MS)
    },
  }
}

async function hasMore({ forgetting, outbox }: ArchiverStore): Promise<boolean> {
  const { forgottenTo = '0-0' } = await forgetting.stateOf(0)
  return (await outbox.from(0, `(${forgottenTo}`, 1)).length > 0
}

/** Placeorder with its archive. */
export type ArchivedServer = Server & {
  redis: BenchRedis
  archive: BenchArchive
  archiver: Program
}

/** Starts all of it. `env` says how long orders stay in Redis; by default none is forgotten. */
export async function archivedPlaceorder(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  {
    env: given = {},
    through = async ({ url }) => url,
  }: {
    env?: Record<string, string>
    /** The URL at which the database is reached. */
    through?: (postgres: BenchPostgres) => Promise<string>
  } = {},
): Promise<ArchivedServer> {
  const name = 'with the archive'
  const redis = await redisFor(testBed, stack, 'archived')
  const archive = await archiveFor(testBed, stack, redis.address)
  const env = { ...given, ARCHIVE_URL: await through(archive.postgres) }
  const server = await placeorder(testBed, stack, { name, redis, env })
  const archiver = await archiverFor(testBed, stack, redis.address, env)
  return { ...server, redis, archive, archiver }
}

/** The same load, measured with the archiver and the processes that PostgreSQL has at the time. */
export const withArchive = (
  load: Subject,
  { programs, archiver, archive }: ArchivedServer,
): Subject => ({
  ...load,
  get programs() {
    const postgres = archive.postgres.pids().map((pid) => ({ name: 'postgres', pid }))
    return [...programs, archiver, ...postgres]
  },
})

/**
 * The environment with which orders are forgotten so soon after their conclusion (s). Tests alone
 * set it below two minutes.
 */
export const forgetAfter = (seconds: number): Record<string, string> => ({
  FORGET: 'true',
  TEST_KEEP_SECONDS: String(seconds),
})
