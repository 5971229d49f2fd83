import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  findPostgresServer,
  NoPostgres,
  startLocalPostgres,
} from '@placeorder/local-services/postgres'
import {
  findRedisServer,
  type RedisServer,
  startLocalRedis,
} from '@placeorder/local-services/redis'
import { type SupervisedServer, type SuperviseOptions, supervise } from './supervised-server.ts'

export type OwnServerOptions = Pick<SuperviseOptions, 'say' | 'onRestart'> & {
  /** The data folder; each server has a folder of its own in it. */
  data: string
  /** The lock of the data folder. */
  keepOpen: number
}

/**
 * Runs a Redis of our own.
 *
 * @throws NoRedis; or why it did not start
 */
export async function startOwnRedis(options: OwnServerOptions): Promise<SupervisedServer> {
  const { data, keepOpen, say } = options
  const dir = join(data, 'redis')
  const onProgress = (step: string) => say(`${step} …`)
  const found = await findRedisServer(onProgress)
  const where = { dir, keepOpen, password: randomBytes(24).toString('hex'), onProgress }
  const start = (port: number) => startLocalRedis(found, { ...where, port })
  const redis = await supervise({ ...options, name: 'Redis', start })
  say(`started ${nameOf(found)} on port ${redis.port}, durable, in ${dir}`)
  return redis
}

/**
 * Runs a PostgreSQL of our own for the archive; resolves with undefined, after one line, where none
 * can be had.
 */
export async function startOwnPostgres(
  options: OwnServerOptions,
): Promise<SupervisedServer | undefined> {
  const { data, keepOpen, say } = options
  const dir = join(data, 'postgres')
  const onProgress = (step: string) => say(`${step} …`)
  try {
    const found = await findPostgresServer(dir, onProgress)
    const start = (port: number) => startLocalPostgres(found, { dir, keepOpen, port, onProgress })
    const postgres = await supervise({ ...options, name: 'PostgreSQL', start })
    say(`started PostgreSQL ${found.version} on port ${postgres.port}, durable, in ${dir}`)
    return postgres
  } catch (error) {
    say(`orders stay in Redis, without a PostgreSQL to archive them: ${reasonOf(error)}`)
    return undefined
  }
}

/** Why there is none, in one line. */
function reasonOf(error: unknown): string {
  const texts = error instanceof NoPostgres ? error.reasons : [String(error)]
  return texts.map((text) => text.trim().replaceAll(/\s*\n\s*/g, ', ')).join('; ')
}

const nameOf = (server: RedisServer): string => {
  const what = server.kind === 'binary' ? server.command : `${server.image} in Docker`
  return `${what} ${server.version}`
}
