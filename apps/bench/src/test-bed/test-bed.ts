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
import { type Asked, type Program, startAsked, startService } from './program.ts'
import { type BenchRedis, startRedis } from './redis.ts'

const anything = z.unknown()

export const placeOrderPath = '/aps/api/v1/payments/placeOrder'

/** Where figures start what they need. All of it ends with the stack it was started on, or with this process. */
export type TestBed = {
  plan: Plan
  /** The run's own directory. */
  dir: string
  files: Files
  say: (step: string) => void
}

/** Makes the run's own directory, on the disk of the repository: a Redis that syncs to memory would smokeTest nothing. */
export async function openTestBed(plan: Plan, dir: string): Promise<TestBed> {
  await mkdir(dir, { recursive: true })
  process.once('exit', () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }))
  const startedAt = performance.now()
  return {
    plan,
    dir,
    // In a folder of their own: our processes watch the one their files are in.
    files: await writeFiles(join(dir, 'files')),
    say: (step) => {
      const seconds = String(Math.round((performance.now() - startedAt) / 1_000)).padStart(5)
      console.error(`${seconds} s  ${step}`)
    },
  }
}

/** An empty Redis with the merchants and codes of the bench. */
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

/** One of the bench's own programs. */
export async function asked(
  stack: AsyncDisposableStack,
  name: string,
  entry: string,
  env: Record<string, string> = {},
): Promise<Asked> {
  const program = await startAsked(name, entry, env)
  stack.defer(program.stop)
  return program
}

/** How our processes reach their Redis. */
const redisEnvironment = ({ urls, cluster }: RedisAddress) => ({
  REDIS_URL: urls.join(','),
  REDIS_CLUSTER: String(cluster),
})

/** An ingress as in production: every setting at its default but for where its files are. */
export async function ingressFor(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  address: RedisAddress,
  env: Record<string, string> = {},
): Promise<Program & { url: string }> {
  const port = await freePort()
  const program = await service(testBed, stack, 'ingress', 'apps/ingress/src/main.ts', {
    ...ingressEnvironment(testBed, address, port),
    ...env,
  })
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
  env: Record<string, string> = {},
): Promise<Program> {
  return service(testBed, stack, 'worker', 'apps/worker/src/main.ts', {
    ...redisEnvironment(address),
    POLICY_FILE: testBed.files.policy,
    ...env,
  })
}

async function service(
  { dir, plan }: TestBed,
  stack: AsyncDisposableStack,
  name: string,
  entry: string,
  env: Record<string, string>,
): Promise<Program> {
  const log = join(dir, `${name}-${randomUUID()}.log`)
  const program = await startService(name, entry, {
    env,
    adminPort: await freePort(),
    log,
    nodeArgs: plan.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${plan.profile}`],
  })
  stack.defer(async () => {
    await program.stop()
    await rm(log)
  })
  return program
}

/** A baseline's server, with the files it is told of. */
export async function serverFor(
  { files }: TestBed,
  stack: AsyncDisposableStack,
  entry: string,
  env: Record<string, string> = {},
): Promise<Program & { url: string }> {
  const port = await freePort()
  const program = await asked(stack, 'server', entry, {
    CALLER_KEY_FILE: files.callerPublicKey,
    SIGNING_KEY_FILE: files.signingKey,
    PLACE_ORDER_PATH: placeOrderPath,
    PORT: String(port),
    ...env,
  })
  return { ...program, url: `http://127.0.0.1:${port}` }
}

/** The load generator, with so many orders signed before any clock starts. */
export async function httpDriver(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  count: number,
): Promise<Asked> {
  const driver = await asked(stack, 'driver', 'drivers/http-driver.ts')
  testBed.say(`signing ${count.toLocaleString('en-US')} orders ahead`)
  await driver.ask(
    'sign',
    { count, target: placeOrderPath, keyFile: testBed.files.callerKey },
    anything,
  )
  return driver
}
