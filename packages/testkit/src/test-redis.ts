import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findRedisServer, startLocalRedis } from '@placeorder/local-services/redis'
import { RedisContainer } from '@testcontainers/redis'

/** A real Redis for tests, durable as production's is. */
export type TestRedis = { url: string; source: TestServerSource; close: () => Promise<void> }

/** Where a test's server comes from. */
export type TestServerSource = 'url' | 'testcontainers' | 'local'

const run = promisify(execFile)

/** The image for Testcontainers; where none can be pulled, the environment names a local one. */
const imageOf = (env: NodeJS.ProcessEnv) => env.TESTKIT_REDIS_IMAGE ?? 'redis:7-alpine'

/**
 * Opens a Redis for a test file: the one at REDIS_URL; else a container, if a Docker engine
 * answers; else a server process on this machine. TESTKIT_REDIS (url, testcontainers, local)
 * overrides this. With `own` nobody else uses the server.
 */
export async function testRedis({ own = false }: { own?: boolean } = {}): Promise<TestRedis> {
  const source = await sourceOf(process.env, own)
  if (source === 'url') return { url: process.env.REDIS_URL ?? '', source, close: async () => {} }
  return source === 'testcontainers' ? container(imageOf(process.env)) : localServer()
}

async function sourceOf(env: NodeJS.ProcessEnv, own: boolean): Promise<TestServerSource> {
  const { TESTKIT_REDIS: chosen } = env
  if (chosen === 'testcontainers' || chosen === 'local') return chosen
  if (env.REDIS_URL !== undefined && !own) return 'url'
  if (chosen === 'url' && env.REDIS_URL === undefined)
    throw new Error('TESTKIT_REDIS=url needs REDIS_URL')
  return (await isDockerThere()) ? 'testcontainers' : 'local'
}

let docker: Promise<boolean> | undefined

/** Whether a Docker engine answers. It is asked once: each time costs a tenth of a second. */
export function isDockerThere(): Promise<boolean> {
  docker ??= run('docker', ['info'], { timeout: 5_000 }).then(
    () => true,
    () => false,
  )
  return docker
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
    source: 'testcontainers',
    close: async () => void (await started.stop()),
  }
}

async function localServer(): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-redis-'))
  const redis = await startLocalRedis(await findRedisServer(), { dir })
  return {
    url: redis.url,
    source: 'local',
    close: async () => {
      await redis.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
