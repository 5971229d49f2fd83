import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { RedisContainer } from '@testcontainers/redis'

/** A real Redis for tests, durable as production's is. */
export type TestRedis = { url: string; way: Way; close: () => Promise<void> }

/** Where a test's Redis comes from. */
export type Way = 'url' | 'testcontainers' | 'local'

const run = promisify(execFile)

/** The image Testcontainers runs; a machine that can pull none names one of its own. */
const imageOf = (env: NodeJS.ProcessEnv) => env.TESTKIT_REDIS_IMAGE ?? 'redis:7-alpine'

/**
 * Gives a test file its Redis: the one at REDIS_URL; else a container, where a Docker engine answers; else a server process
 * of this machine. TESTKIT_REDIS (url, testcontainers, local) chooses. `own`: a server that nobody else uses.
 */
export async function testRedis({ own = false }: { own?: boolean } = {}): Promise<TestRedis> {
  const way = await wayOf(process.env, own)
  if (way === 'url') return { url: process.env.REDIS_URL ?? '', way, close: async () => {} }
  return way === 'testcontainers' ? container(imageOf(process.env)) : localServer()
}

async function wayOf(env: NodeJS.ProcessEnv, own: boolean): Promise<Way> {
  const { TESTKIT_REDIS: chosen } = env
  if (chosen === 'testcontainers' || chosen === 'local') return chosen
  if (env.REDIS_URL !== undefined && !own) return 'url'
  if (chosen === 'url' && env.REDIS_URL === undefined)
    throw new Error('TESTKIT_REDIS=url needs REDIS_URL')
  const engine = await run('docker', ['info'], { timeout: 5_000 }).then(
    () => true,
    () => false,
  )
  return engine ? 'testcontainers' : 'local'
}

async function container(image: string): Promise<TestRedis> {
  const durable = [
    'redis-server',
    '--protected-mode',
    'no',
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
    '--save',
    '',
  ]
  const started = await new RedisContainer(image).withCommand(durable).start()
  return {
    url: started.getConnectionUrl(),
    way: 'testcontainers',
    close: async () => void (await started.stop()),
  }
}

async function localServer(): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-redis-'))
  const redis = await startLocalRedis(await findRedisServer(), { dir })
  return {
    url: redis.url,
    way: 'local',
    close: async () => {
      await redis.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
