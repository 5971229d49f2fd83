import { rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { addressOf, type Standalone, standaloneFile } from '@placeorder/config'
import { DirectoryFile } from '@placeorder/decision'
import { repositoryRoot } from '@placeorder/local-services/repository-root'
import { openDirectory, type RedisAddress } from '@placeorder/store'
import type { Child } from './child.ts'
import type { StandaloneEnvironment } from './config.ts'
import { prepareData } from './data-folder.ts'
import { lockData } from './data-lock.ts'
import { demandDurable } from './demand-durable.ts'
import { makeKeysOnce } from './keys.ts'
import { startApps, whereIs } from './run-apps.ts'
import { hintFor, placeOrderUrl, placeSample } from './sample.ts'
import { type SupervisedRedis, superviseRedis } from './supervised-redis.ts'

export type RunAll = {
  environment: StandaloneEnvironment
  /** Environment that is passed on to ingress and worker. */
  passed: Record<string, string | undefined>
  /** Exit after the first order. */
  once: boolean
}

type Closers = (() => Promise<void> | void)[]

const directoryFile = join(repositoryRoot, 'config/directory.json')

/** Longer than an ingress or worker takes to end after SIGTERM (ms). */
const STOP_MS_MAX = 15_000

const say = (line: string) => console.log(`• ${line}`)

/**
 * Runs all of placeorder on this machine and places the order of placeOrder.txt. Keeps running
 * until `signal` aborts, unless `once`. Resolves with the exit code: 0 after a verified SUCCESS,
 * and when it was stopped.
 *
 * @throws why one of the programs could not start, written for the user
 */
export async function runAll(run: RunAll, signal: AbortSignal): Promise<number> {
  const closers: Closers = []
  const aborted = new Promise<number>((resolve) => {
    if (signal.aborted) resolve(0)
    signal.addEventListener('abort', () => resolve(0), { once: true })
  })
  try {
    return await Promise.race([aborted, untilEnded(run, closers, signal)])
  } finally {
    for (const close of closers.toReversed()) await close()
  }
}

async function untilEnded(
  { environment, passed, once }: RunAll,
  closers: Closers,
  signal: AbortSignal,
): Promise<number> {
  const data = resolve(repositoryRoot, environment.DATA_DIR)
  prepareData(data)
  const { file } = await lockData(data, say)
  await demandFree(environment.PORT)
  const writing = { write: () => {} }
  const redis = await redisFor(environment, closers, {
    dir: join(data, 'redis'),
    keepOpen: file,
    say,
    onRestart: () => writing.write(),
  })
  const keys = { acquirer: join(data, 'keys/acquirer'), caller: join(data, 'keys/alipay-1') }
  for (const stem of [keys.acquirer, keys.caller]) {
    if (await makeKeysOnce(stem)) say(`made the key pair ${stem}.pem`)
  }
  await demandDurable(redis.address, environment)
  await importDirectory(redis.address, environment.SHARDS)
  signal.throwIfAborted()
  const samples = {
    CLIENTS_FILE: await sampleClients(data),
    POLICY_FILE: join(repositoryRoot, 'config/policy.json'),
    SIGNING_KEY_FILE: `${keys.acquirer}.pem`,
  }
  const env = environmentOf(redis.address, samples, environment, passed)
  const apps = startApps(env, environment.LOG_LEVEL, file)
  closers.push(
    () => apps.worker.stop(STOP_MS_MAX),
    () => apps.ingress.stop(STOP_MS_MAX),
  )
  for (const { pid } of [apps.ingress, apps.worker]) redis.own?.endsAfter(pid)
  const [ingress, worker] = await Promise.all([whereIs(apps.ingress), whereIs(apps.worker)])
  say('started ingress and worker')
  const placeOrder = placeOrderUrl(environment, ingress.address?.port ?? environment.PORT)
  const describe = (): Standalone => ({
    pid: process.pid,
    environment: redisVariables(env),
    placeOrder,
    ingress: { pid: apps.ingress.pid, admin: ingress.admin },
    worker: { pid: apps.worker.pid, admin: worker.admin },
    redis: redis.own && { pid: redis.own.pid, port: redis.own.port },
  })
  writing.write = () =>
    writeFileSync(standaloneFile(data), `${JSON.stringify(describe(), null, 2)}\n`)
  writing.write()
  closers.push(() => rmSync(standaloneFile(data), { force: true }))
  const code = await placeSample(environment, placeOrder, keys, env, say)
  if (once || code !== 0) return code
  const { origin } = new URL(placeOrder)
  say(`placeorder is up on ${origin}; Ctrl-C stops it.`)
  say(`place another order: ${hintFor(environment, placeOrder, keys)}`)
  return untilOneEnds([apps.ingress, apps.worker], signal)
}

type UsedRedis = { address: RedisAddress; own: SupervisedRedis | undefined }

/** The Redis in the environment; if there is none, one that is started here. */
async function redisFor(
  environment: StandaloneEnvironment,
  closers: Closers,
  where: Parameters<typeof superviseRedis>[0],
): Promise<UsedRedis> {
  const { REDIS_URL, REDIS_CLUSTER, REDIS_SENTINELS } = environment
  const isNamed = REDIS_URL !== undefined || REDIS_CLUSTER || REDIS_SENTINELS.length > 0
  const own = isNamed ? undefined : await superviseRedis(where)
  if (own !== undefined) closers.push(own.close)
  const started = own === undefined ? [] : [own.url]
  return { address: addressOf({ ...environment, REDIS_URL: REDIS_URL ?? started }), own }
}

/**
 * The environment of ingress and worker: what the operator set, else the samples of this
 * repository.
 */
function environmentOf(
  { urls }: RedisAddress,
  samples: Record<string, string>,
  { PORT, SHARDS }: StandaloneEnvironment,
  passed: Record<string, string | undefined>,
): Record<string, string> {
  const set = Object.fromEntries(
    Object.entries(passed).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  return {
    ADMIN_HOST: '127.0.0.1',
    ...samples,
    ...set,
    ...(urls.length > 0 ? { REDIS_URL: urls.join(',') } : {}),
    ADMIN_PORT: '0',
    SHARDS: String(SHARDS),
    PORT: String(PORT),
  }
}

/**
 * config/clients.json names the key in `.data`; another data folder gets a copy with its own path.
 */
async function sampleClients(data: string): Promise<string> {
  const sample = join(repositoryRoot, 'config/clients.json')
  if (data === join(repositoryRoot, '.data')) return sample
  const copy = join(data, 'clients.json')
  const text = await readFile(sample, 'utf8')
  writeFileSync(copy, text.replaceAll('../.data/keys/', 'keys/'))
  return copy
}

/** The variables by which commands find the same Redis. */
const redisVariables = (env: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter(([name]) => name.startsWith('REDIS_') || name === 'SHARDS'),
  )

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

/** Resolves with 1 when one of the programs ends by itself. */
async function untilOneEnds(children: Child[], signal: AbortSignal): Promise<number> {
  const name = await Promise.race(
    children.map(async ({ name, ended }) => `${name} ended by itself: ${await ended}`),
  )
  if (!signal.aborted) say(name)
  return signal.aborted ? 0 : 1
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
      `cannot listen on port ${port} (${reason}): choose another one, PORT=<port> npm start`,
      { cause },
    )
  } finally {
    probe.close()
  }
}
