import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@placeorder/local-services/redis'
import { openDirectory, type RedisAddress } from '@placeorder/store'
import { z } from 'zod'
import type { Plan } from '../options.ts'
import { benchDirectory } from '../orders/order-at.ts'
import { type Files, writeFiles } from './files.ts'
import { type CommandedProgram, type Program, startCommanded, startService } from './program.ts'
import { type BenchRedis, startRedis } from './redis.ts'

const anything = z.unknown()

export const placeOrderPath = '/aps/api/v1/payments/placeOrder'

/**
 * Where benchmarks start what they need. It ends with the stack it was started on, or this process.
 */
export type TestBed = {
  plan: Plan
  /** The run's own directory. */
  dir: string
  files: Files
  say: (step: string) => void
}

/**
 * Makes the run's own directory on the disk of the repository: a Redis that syncs to a file system
 * in memory would make the results meaningless.
 */
export async function openTestBed(plan: Plan, dir: string): Promise<TestBed> {
  await mkdir(dir, { recursive: true })
  process.once('exit', () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }))
  const startedAt = performance.now()
  return {
    plan,
    dir,
    // They have a folder of their own, since ingress and worker watch their files' folder.
    files: await writeFiles(join(dir, 'files')),
    say: (step) => {
      const seconds = String(Math.round((performance.now() - startedAt) / 1_000)).padStart(5)
      console.error(`${seconds} s  ${step}`)
    },
  }
}

/** Starts a Redis with the merchants and codes of the benchmarks. */
export async function redisFor(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  name: string,
): Promise<BenchRedis> {
  const redis = await startRedis(testBed.dir, name)
  stack.defer(redis.close)
  await importDirectory(redis.address, 1)
  return redis
}

export async function importDirectory(address: RedisAddress, shards: number): Promise<void> {
  const { merchants, codes } = benchDirectory()
  const { directory, close } = await openDirectory(address, shards)
  await directory.put(merchants, codes)
  await close()
}

/** Starts one of the benchmarks' own programs. */
export async function commanded(
  stack: AsyncDisposableStack,
  name: string,
  entry: string,
  env: Record<string, string> = {},
): Promise<CommandedProgram> {
  const program = await startCommanded(name, entry, env)
  stack.defer(program.stop)
  return program
}

/** The environment by which ingress and worker find their Redis. */
const redisEnvironment = ({ urls, cluster }: RedisAddress) => ({
  REDIS_URL: urls.join(','),
  REDIS_CLUSTER: String(cluster),
})

/** Variables beside the defaults, and the checkout to run, if not this one. */
export type ServiceOptions = { env?: Record<string, string>; root?: string | undefined }

/** Starts an ingress as in production: all settings are defaults, except where its files are. */
export async function ingressFor(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  address: RedisAddress,
  { env = {}, root }: ServiceOptions = {},
): Promise<Program & { url: string }> {
  const port = await freePort()
  const ofIngress = { ...ingressEnvironment(testBed, address, port), ...env }
  const options = { env: ofIngress, root }
  const program = await service(testBed, stack, 'ingress', 'apps/ingress/src/main.ts', options)
  return { ...program, url: `http://127.0.0.1:${port}` }
}

export const ingressEnvironment = ({ files }: TestBed, address: RedisAddress, port: number) => ({
  ...redisEnvironment(address),
  CLIENTS_FILE: files.clients,
  SIGNING_KEY_FILE: files.signingKey,
  HOST: '127.0.0.1',
  PORT: String(port),
})

export async function workerFor(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  address: RedisAddress,
  { env = {}, root }: ServiceOptions = {},
): Promise<Program> {
  const ofWorker = { ...redisEnvironment(address), POLICY_FILE: testBed.files.policy, ...env }
  const options = { env: ofWorker, root }
  return service(testBed, stack, 'worker', 'apps/worker/src/main.ts', options)
}

/** What starts one of the processes beside ingress and worker, as in production. */
const startsBeside =
  (name: 'archiver' | 'notifier') =>
  (
    testBed: TestBed,
    stack: AsyncDisposableStack,
    address: RedisAddress,
    env: Record<string, string>,
  ): Promise<Program> =>
    service(testBed, stack, name, `apps/${name}/src/main.ts`, {
      env: { ...redisEnvironment(address), ...env },
    })

/** Starts an archiver; `env` names the archive. */
export const archiverFor = startsBeside('archiver')

/** Starts a notifier; `env` names its file of sinks. */
export const notifierFor = startsBeside('notifier')

async function service(
  { dir, plan }: TestBed,
  stack: AsyncDisposableStack,
  name: string,
  entry: string,
  { env = {}, root }: ServiceOptions,
): Promise<Program> {
  const log = join(dir, `${name}-${randomUUID()}.log`)
  const program = await startService(name, entry, {
    env,
    adminPort: await freePort(),
    log,
    nodeArgs: plan.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profile}`],
    ...(root === undefined ? {} : { root }),
  })
  stack.defer(async () => {
    await program.stop()
    await rm(log)
  })
  return program
}

/** Starts a baseline's server with the same key files. */
export async function serverFor(
  { files }: TestBed,
  stack: AsyncDisposableStack,
  entry: string,
  env: Record<string, string> = {},
): Promise<Program & { url: string }> {
  const port = await freePort()
  const program = await commanded(stack, 'server', entry, {
    CALLER_KEY_FILE: files.callerPublicKey,
    SIGNING_KEY_FILE: files.signingKey,
    PLACE_ORDER_PATH: placeOrderPath,
    PORT: String(port),
    ...env,
  })
  return { ...program, url: `http://127.0.0.1:${port}` }
}

/** Starts the load generator and lets it sign so many orders ahead. */
export async function httpDriver(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  count: number,
): Promise<CommandedProgram> {
  const driver = await commanded(stack, 'driver', 'drivers/http-driver.ts')
  testBed.say(`signing ${count.toLocaleString('en-US')} orders ahead`)
  await driver.command(
    'sign',
    { count, target: placeOrderPath, keyFile: testBed.files.callerKey },
    anything,
  )
  return driver
}
