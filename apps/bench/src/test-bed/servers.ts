import type { Subject } from './measure.ts'
import type { Asked } from './program.ts'
import { smokeTest } from './smoke-test.ts'
import {
  ingressFor,
  placeOrderPath,
  redisFor,
  serverFor,
  type TestBed,
  workerFor,
} from './test-bed.ts'

/** What orders can be sent to over HTTP. */
export type Server = Pick<Subject, 'name' | 'programs' | 'redis'> & { urls: string[] }

/** Redis, a worker and ingresses of ours, with production's settings; each ingress has been seen to place an order. */
export async function placeorder(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  {
    name = 'placeorder',
    ingresses = 1,
    env = {},
  }: { name?: string; ingresses?: number; env?: Record<string, string> } = {},
): Promise<Server> {
  const redis = await redisFor(testBed, stack, name)
  const worker = await workerFor(testBed, stack, redis.address, env)
  const endpoints = []
  for (let at = 0; at < ingresses; at += 1)
    endpoints.push(await ingressFor(testBed, stack, redis.address, env))
  const urls = endpoints.map(({ url }) => url)
  await smokeTest(testBed, name, urls)
  return { name, urls, redis, programs: [...endpoints, worker, { name: 'redis', pid: redis.pid }] }
}

/** The least a server can do: verify, read, sign a constant answer. */
export async function noOpHandler(testBed: TestBed, stack: AsyncDisposableStack): Promise<Server> {
  const name = 'a signed constant'
  const server = await serverFor(testBed, stack, 'baselines/constant-server.ts')
  await smokeTest(testBed, name, [server.url])
  return { name, urls: [server.url], programs: [server] }
}

/** A server with so many connections, each with one order in hand at a time. */
export function closedLoop(
  { urls, ...server }: Server,
  driver: Asked,
  { connections, perSecondMax }: { connections: number; perSecondMax: number },
): Subject {
  const load = { urls: urls.map((url) => `${url}${placeOrderPath}`), connections, perSecondMax }
  return { ...server, driver, load, next: 0 }
}

/**
 * A server that is sent orders at a fixed rate, whether it answers or not. Each connection sends its part of a second's
 * orders one after the other; connections begin one after the other.
 */
export function fixedRate(
  { urls, ...server }: Server,
  driver: Asked,
  { connections, rate }: { connections: number; rate: number },
): Subject {
  const load = { urls: urls.map((url) => `${url}${placeOrderPath}`), connections, rate }
  // A second goes by until all connections have begun, and a late one sends what it missed at once.
  return { ...server, driver, load: { ...load, perSecondMax: 2 * rate, render: false }, next: 0 }
}
