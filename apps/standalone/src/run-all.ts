import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { addressOf, ConfigFault, type Standalone, standaloneFile } from '@placeorder/config'
import { DirectoryFile } from '@placeorder/decision'
import { repositoryRoot } from '@placeorder/local-services/repository-root'
import { openDirectory, type RedisAddress, ShardsFault } from '@placeorder/store'
import type { Child } from './child.ts'
import type { StandaloneEnvironment } from './config.ts'
import { prepareData } from './data-folder.ts'
import { lockData } from './data-lock.ts'
import { demandDurable } from './demand-durable.ts'
import { makeKeysOnce } from './keys.ts'
import { type OwnServerOptions, startOwnPostgres, startOwnRedis } from './own-servers.ts'
import { prepareArchive } from './prepare-archive.ts'
import { startApps, startArchiver, whereIs } from './run-apps.ts'
import { hintFor, placeOrderUrl, placeSample } from './sample.ts'
import type { SupervisedServer } from './supervised-server.ts'

export type RunAll = {
  environment: StandaloneEnvironment
  /** Environment that is passed on to ingress and worker. */
  passed: Record<string, string | undefined>
  /** Exit after the first order. */
  once: boolean
}

type Closers = (() => Promise<void> | void)[]

const directoryFile = join(repositoryRoot, 'config/directory.json')
const eventsFile = join(repositoryRoot, 'config/events.json')

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
  const own = { data, keepOpen: file, say, onRestart: () => writing.write() }
  const redis = await redisFor(environment, closers, own)
  const postgres = await postgresFor(environment, redis, closers, own)
  const keys = { acquirer: join(data, 'keys/acquirer'), caller: join(data, 'keys/alipay-1') }
  for (const stem of [keys.acquirer, keys.caller]) {
    if (await makeKeysOnce(stem)) say(`made the key pair ${stem}.pem`)
  }
  await demandDurable(redis.address, environment).catch(inFolder(redis.own && data))
  await importDirectory(redis.address, environment.SHARDS)
  signal.throwIfAborted()
  const samples = {
    CLIENTS_FILE: await sampleClients(data),
    POLICY_FILE: join(repositoryRoot, 'config/policy.json'),
    SIGNING_KEY_FILE: `${keys.acquirer}.pem`,
    // The next start takes two thirds of the time.
    NODE_COMPILE_CACHE: join(data, 'compile-cache'),
  }
  const used = { redis: redis.address, archive: environment.ARCHIVE_URL ?? postgres?.url }
  const env = environmentOf(used, samples, environment, passed)
  if (used.archive !== undefined)
    await prepareArchive({ ...environment, url: used.archive, redis: used.redis }, env)
  const options = { env, level: environment.LOG_LEVEL, keepOpen: file }
  const apps = startApps({ ...options, notify: await wantsEvents(passed) })
  const { notifier, worker: working, ingress: answering } = apps
  const archivers: Child[] = []
  const stopping = [notifier ? [notifier] : [], archivers, [working], [answering]]
  closers.push(...stopping.map((some) => () => stopAll(some)))
  endAfter(stopping.flat(), redis.own, postgres)
  const [ingress, worker] = await Promise.all([whereIs(answering), whereIs(working)])
  const notifierAt = await upAt(notifier)
  signal.throwIfAborted()
  // Orders can be placed, and the archiver takes long to load.
  const archiver = used.archive === undefined ? undefined : startArchiver(options, apps)
  if (archiver !== undefined) archivers.push(archiver)
  endAfter(archivers, redis.own, postgres)
  say(`started ${inWords(stopping.flat().toReversed())}`)
  const placeOrder = placeOrderUrl(environment, ingress.address?.port ?? environment.PORT)
  const placing = placeSample(environment, placeOrder, keys, env, say)
  const [code, archiverAt] = await Promise.all([placing, upAt(archiver)])
  const describe = (): Standalone => ({
    pid: process.pid,
    environment: storeVariables(env),
    placeOrder,
    ingress: { pid: answering.pid, admin: ingress.admin },
    worker: { pid: working.pid, admin: worker.admin },
    archiver: archiverAt,
    notifier: notifierAt,
    redis: redis.own && { pid: redis.own.pid, port: redis.own.port },
    postgres: postgres && { pid: postgres.pid, port: postgres.port },
  })
  writing.write = () => writeWhole(standaloneFile(data), describe())
  writing.write()
  closers.push(() => rmSync(standaloneFile(data), { force: true }))
  if (once || code !== 0) return code
  const { origin } = new URL(placeOrder)
  say(`placeorder is up on ${origin}; Ctrl-C stops it.`)
  say(`place another order: ${hintFor(environment, placeOrder, keys)}`)
  return untilOneEnds(stopping.flat(), signal)
}

/** Throws a fault of what Redis holds so that it names the folder, which nobody chose. */
const inFolder = (data: string | undefined) => (error: unknown) => {
  if (data === undefined || !(error instanceof ShardsFault)) throw error
  const folders = ['redis', 'postgres'].map((name) => join(data, name))
  throw new ConfigFault([
    error.message,
    `it is in ${folders[0]}: to begin anew, without its orders, move ${folders.join(' and ')} away`,
  ])
}

/** Writes a file by renaming: a command that reads it meanwhile finds it whole. */
function writeWhole(path: string, content: Standalone): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(content, null, 2)}\n`)
  renameSync(`${path}.new`, path)
}

async function stopAll(children: Child[]): Promise<void> {
  for (const child of children) await child.stop(STOP_MS_MAX)
}

const inWords = (children: Child[]): string =>
  new Intl.ListFormat('en-GB').format(children.map(({ name }) => name))

/** A process of ours that there may be, as standalone.json describes it. */
const upAt = async (child: Child | undefined) =>
  child && { pid: child.pid, admin: (await whereIs(child)).admin }

/** Whether there is somebody to deliver events to. Faults are for the notifier to say. */
async function wantsEvents({ EVENTS_FILE, EVENTS_TOKEN }: RunAll['passed']): Promise<boolean> {
  if (EVENTS_FILE || EVENTS_TOKEN) return true
  const text = await readFile(eventsFile, 'utf8').catch(() => '{ "sinks": [] }')
  return !/^\s*\{\s*"sinks"\s*:\s*\[\s*\]\s*\}\s*$/.test(text)
}

/** However we end: the servers end after those who use them, and Redis last. */
function endAfter(
  children: Child[],
  redis: SupervisedServer | undefined,
  postgres: SupervisedServer | undefined,
): void {
  for (const { pid } of children) {
    redis?.endsAfter(pid)
    postgres?.endsAfter(pid)
  }
  if (postgres !== undefined) redis?.endsAfter(postgres.pid)
}

type UsedRedis = { address: RedisAddress; own: SupervisedServer | undefined }

/** The Redis in the environment; if there is none, one that is started here. */
async function redisFor(
  environment: StandaloneEnvironment,
  closers: Closers,
  options: OwnServerOptions,
): Promise<UsedRedis> {
  const { REDIS_URL, REDIS_CLUSTER, REDIS_SENTINELS } = environment
  const isNamed = REDIS_URL !== undefined || REDIS_CLUSTER || REDIS_SENTINELS.length > 0
  const own = isNamed ? undefined : await startOwnRedis(options)
  if (own !== undefined) closers.push(own.close)
  const started = own === undefined ? [] : [own.url]
  return { address: addressOf({ ...environment, REDIS_URL: REDIS_URL ?? started }), own }
}

/** A PostgreSQL that is started here, for the archive of the Redis that is: they go together. */
async function postgresFor(
  { ARCHIVE_URL }: StandaloneEnvironment,
  redis: UsedRedis,
  closers: Closers,
  options: OwnServerOptions,
): Promise<SupervisedServer | undefined> {
  if (ARCHIVE_URL !== undefined || redis.own === undefined) return undefined
  const own = await startOwnPostgres(options)
  if (own !== undefined) closers.push(own.close)
  return own
}

/**
 * The environment of the processes: what the operator set, else what is of this folder.
 */
function environmentOf(
  { redis: { urls }, archive }: { redis: RedisAddress; archive: string | undefined },
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
    ...(archive === undefined ? {} : { ARCHIVE_URL: archive }),
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

/** The variables by which commands find the same Redis and archive. */
const storeVariables = (env: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => name.startsWith('REDIS_') || ['SHARDS', 'ARCHIVE_URL'].includes(name),
    ),
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
