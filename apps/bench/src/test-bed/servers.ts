import type { Subject } from './measure.ts'
import type { CommandedProgram } from './program.ts'
import type { BenchRedis } from './redis.ts'
import { smokeTest } from './smoke-test.ts'
import {
  ingressFor,
  placeOrderPath,
  redisFor,
  type ServiceOptions,
  serverFor,
  type TestBed,
  workerFor,
} from './test-bed.ts'

/** A system that takes orders over HTTP. */
export type Server = Pick<Subject, 'name' | 'programs' | 'redis'> & { urls: string[] }

/**
 * Starts a worker and ingresses with production's settings, and a Redis unless one is given. Each
 * ingress has passed the smoke test.
 */
export async function placeorder(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  {
    name = 'placeorder',
    ingresses = 1,
    redis: given,
    ...service
  }: { name?: string; ingresses?: number; redis?: BenchRedis } & ServiceOptions = {},
): Promise<Server> {
  const redis = given ?? (await redisFor(testBed, stack, name))
  const worker = await workerFor(testBed, stack, redis.address, service)
  const started = []
  for (let at = 0; at < ingresses; at += 1)
    started.push(await ingressFor(testBed, stack, redis.address, service))
  const urls = started.map(({ url }) => url)
  await smokeTest(testBed, name, urls)
  return { name, urls, redis, programs: [...started, worker, { name: 'redis', pid: redis.pid }] }
}

/** Starts the least that speaks the protocol: it verifies, parses and signs a constant answer. */
export async function noOpHandler(testBed: TestBed, stack: AsyncDisposableStack): Promise<Server> {
  const name = 'a no-op handler'
  const server = await serverFor(testBed, stack, 'baselines/no-op-server.ts')
  await smokeTest(testBed, name, [server.url])
  return { name, urls: [server.url], programs: [server] }
}

/**
 * Starts the least that any correct implementation does: it verifies, parses, claims the paymentId
 * durably, and signs.
 */
export async function durableFloor(testBed: TestBed, stack: AsyncDisposableStack): Promise<Server> {
  const name = 'the durable floor'
  const redis = await redisFor(testBed, stack, 'floor')
  const env = { REDIS_URL: redis.url }
  const server = await serverFor(testBed, stack, 'baselines/floor-server.ts', env)
  await smokeTest(testBed, name, [server.url])
  return {
    name,
    urls: [server.url],
    redis,
    programs: [server, { name: 'redis', pid: redis.pid }],
  }
}

/** Sends a server orders over so many connections, each with one order in flight at a time. */
export function closedLoop(
  { urls, ...server }: Server,
  driver: CommandedProgram,
  { connections, perSecondMax }: { connections: number; perSecondMax: number },
): Subject {
  const load = { urls: urls.map((url) => `${url}${placeOrderPath}`), connections, perSecondMax }
  return { ...server, driver, load, next: 0 }
}

/**
 * Sends a server orders at a fixed rate, whether it answers or not. Each connection sends its part
 * of a second's orders one after the other; connections start one after the other.
 */
export function fixedRate(
  { urls, ...server }: Server,
  driver: CommandedProgram,
  { connections, rate }: { connections: number; rate: number },
): Subject {
  const load = { urls: urls.map((url) => `${url}${placeOrderPath}`), connections, rate }
  // It takes a second until all connections have started; a late one sends what it missed at once.
  return { ...server, driver, load: { ...load, perSecondMax: 2 * rate, render: false }, next: 0 }
}
