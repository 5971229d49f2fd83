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
export type House = {
  plan: Plan
  /** The run's own directory. */
  dir: string
  files: Files
  say: (step: string) => void
}

/** Makes the run's own directory, on the disk of the repository: a Redis that syncs to memory would prove nothing. */
export async function openHouse(plan: Plan, dir: string): Promise<House> {
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
  house: House,
  stack: AsyncDisposableStack,
  name: string,
): Promise<BenchRedis> {
  const redis = await startRedis(house.dir, name)
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
  house: House,
  stack: AsyncDisposableStack,
  address: RedisAddress,
  env: Record<string, string> = {},
): Promise<Program & { url: string }> {
  const port = await freePort()
  const program = await service(house, stack, 'ingress', 'apps/ingress/src/main.ts', {
    ...ingressEnvironment(house, address, port),
    ...env,
  })
  return { ...program, url: `http://127.0.0.1:${port}` }
}

export const ingressEnvironment = ({ files }: House, address: RedisAddress, port: number) => ({
  ...redisEnvironment(address),
  CLIENTS_FILE: files.clients,
  SIGNING_KEY_FILE: files.signingKey,
  HOST: '127.0.0.1',
  PORT: String(port),
})

export async function workerFor(
  house: House,
  stack: AsyncDisposableStack,
  address: RedisAddress,
  env: Record<string, string> = {},
): Promise<Program> {
  return service(house, stack, 'worker', 'apps/worker/src/main.ts', {
    ...redisEnvironment(address),
    POLICY_FILE: house.files.policy,
    ...env,
  })
}

async function service(
  { dir, plan }: House,
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
  { files }: House,
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
  house: House,
  stack: AsyncDisposableStack,
  count: number,
): Promise<Asked> {
  const driver = await asked(stack, 'driver', 'drivers/http-driver.ts')
  house.say(`signing ${count.toLocaleString('en-US')} orders ahead`)
  await driver.ask(
    'sign',
    { count, target: placeOrderPath, keyFile: house.files.callerKey },
    anything,
  )
  return driver
}
