import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { addressOf } from '@placeorder/config'
import { CodeRecord, MerchantRecord } from '@placeorder/decision'
import { openDirectory, type RedisAddress } from '@placeorder/store'
import { findRedisServer, startLocalRedis } from '@placeorder/store/local-redis'
import { z } from 'zod'
import { type Child, runChild, startChild } from './child.ts'
import type { StandaloneEnvironment } from './config.ts'
import { makeKeysOnce } from './keys.ts'

export type RunAll = {
  environment: StandaloneEnvironment
  /** What ingress and worker get besides. */
  passed: Record<string, string | undefined>
  /** End after the first order. */
  once: boolean
}

const root = join(import.meta.dirname, '../../..')
const data = join(root, '.data')
const keys = { acquirer: join(data, 'keys/acquirer'), caller: join(data, 'keys/alipay-1') }
const directoryFile = join(root, 'config/directory.json')

/** Longer than an ingress or worker takes to end by itself (ms). */
const STOP_MS_MAX = 10_000

const say = (line: string) => console.log(`• ${line}`)

/**
 * Runs all of placeorder on this machine and places the order of placeOrder.txt. Stays up until `signal` aborts, unless
 * it runs once. Resolves with the exit code: 0 after a verified SUCCESS.
 *
 * @throws what kept one of them from starting, in words for the person who started it
 */
export async function runAll(
  { environment, passed, once }: RunAll,
  signal: AbortSignal,
): Promise<number> {
  await demandFree(environment.PORT)
  const closers: (() => Promise<void>)[] = []
  try {
    const redis = await redisFor(environment, closers)
    const env = environmentOf(redis, environment, passed)
    for (const stem of [keys.acquirer, keys.caller]) {
      if (await makeKeysOnce(stem)) say(`made the key pair ${stem}.pem`)
    }
    await importDirectory(redis, environment.SHARDS)
    const children = await startApps(env, closers)
    const code = await placeSample(environment.PORT, env)
    if (once || code !== 0) return code
    say(`placeorder is up on http://127.0.0.1:${environment.PORT}; Ctrl-C ends it.`)
    say('another order: npm run simulator -- place')
    return await untilEnded(children, signal)
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

/** The Redis that the environment names; one of our own if it names none. */
async function redisFor(
  environment: StandaloneEnvironment,
  closers: (() => Promise<void>)[],
): Promise<RedisAddress> {
  const { REDIS_URL, REDIS_CLUSTER, REDIS_SENTINELS } = environment
  const isNamed = REDIS_URL !== undefined || REDIS_CLUSTER || REDIS_SENTINELS.length > 0
  const started = isNamed ? [] : [await startRedis(closers)]
  return addressOf({ ...environment, REDIS_URL: REDIS_URL ?? started })
}

async function startRedis(closers: (() => Promise<void>)[]): Promise<string> {
  const server = await findRedisServer((step) => say(`${step} …`))
  const redis = await startLocalRedis(server, {
    dir: join(data, 'redis'),
    onProgress: (step) => say(`${step} …`),
  })
  closers.push(redis.stop)
  const what = server.kind === 'binary' ? server.command : `${server.image} in Docker`
  say(`started ${what} ${server.version} on port ${redis.port}, durable, in .data/redis`)
  return redis.url
}

/** What ingress and worker run with: what the operator set, else the samples of this repository. */
function environmentOf(
  { urls }: RedisAddress,
  { PORT, SHARDS, LOG_LEVEL }: StandaloneEnvironment,
  passed: Record<string, string | undefined>,
): Record<string, string> {
  const set = Object.fromEntries(
    Object.entries(passed).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  return {
    CLIENTS_FILE: join(root, 'config/clients.json'),
    POLICY_FILE: join(root, 'config/policy.json'),
    SIGNING_KEY_FILE: `${keys.acquirer}.pem`,
    ...set,
    ...(urls.length > 0 ? { REDIS_URL: urls.join(',') } : {}),
    ADMIN_PORT: '0',
    SHARDS: String(SHARDS),
    PORT: String(PORT),
    LOG_LEVEL,
  }
}

const DirectoryFile = z.object({ merchants: z.array(MerchantRecord), codes: z.array(CodeRecord) })

async function importDirectory(address: RedisAddress, shards: number): Promise<void> {
  const { merchants, codes } = DirectoryFile.parse(
    JSON.parse(await readFile(directoryFile, 'utf8')),
  )
  const { directory, close } = await openDirectory(address, shards)
  try {
    await directory.put(merchants, codes)
    say(`imported config/directory.json: ${merchants.length} merchants, ${codes.length} codes`)
  } finally {
    await close()
  }
}

/** Both say so in their log when they are ready; what they log after that is shown. */
async function startApps(
  env: Record<string, string>,
  closers: (() => Promise<void>)[],
): Promise<Child[]> {
  const log = { ...env, LOG_LEVEL: env.LOG_LEVEL === 'warn' ? 'info' : (env.LOG_LEVEL ?? 'info') }
  const onLine = (line: string) => {
    if (env.LOG_LEVEL !== 'warn' || /"level":(40|50|60)/.test(line)) console.log(line)
  }
  const starting = [
    startChild('ingress', 'apps/ingress/src/main.ts', log, { ready: '"listening"', onLine }),
    startChild('worker', 'apps/worker/src/main.ts', log, { ready: '"working"', onLine }),
  ]
  for (const child of starting)
    child.then((up) => closers.push(() => up.stop(STOP_MS_MAX))).catch(() => {})
  const children = await Promise.all(starting)
  say('started ingress and worker')
  return children
}

async function placeSample(port: number, env: Record<string, string>): Promise<number> {
  const url = `http://127.0.0.1:${port}${env.PLACE_ORDER_PATH ?? '/aps/api/v1/payments/placeOrder'}`
  say('placing the order of placeOrder.txt\n')
  const args = [
    'place',
    '--url',
    url,
    '--key',
    `${keys.caller}.pem`,
    '--server-key',
    `${keys.acquirer}.pub.pem`,
  ]
  return runChild('apps/simulator/src/main.ts', args, env)
}

/** Resolves with 0 when we are told to end, and with 1 when one of the programs ended by itself. */
async function untilEnded(children: Child[], signal: AbortSignal): Promise<number> {
  const told = new Promise<number>((resolve) => {
    if (signal.aborted) resolve(0)
    signal.addEventListener('abort', () => resolve(0), { once: true })
  })
  const failed = children.map(async ({ name, ended }) => {
    const why = await ended
    if (!signal.aborted) say(`${name} ended by itself: ${why}`)
    return signal.aborted ? 0 : 1
  })
  return Promise.race([told, ...failed])
}

async function demandFree(port: number): Promise<void> {
  const probe = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject).listen(port, '0.0.0.0', resolve)
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause
    throw new Error(
      `cannot listen on port ${port} (${reason}): choose another one, PORT=${port + 1} npm start`,
      { cause },
    )
  } finally {
    probe.close()
  }
}
