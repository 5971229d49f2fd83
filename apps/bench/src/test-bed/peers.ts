import { z } from 'zod'
import type { Server } from './servers.ts'
import { smokeTest } from './smoke-test.ts'
import { commanded, redisFor, serverFor, type TestBed } from './test-bed.ts'

/** The other ways to queue an order and wait for its outcome, by the name of their files. */
const NAMES = {
  naive: 'naive BullMQ',
  bee: 'bee-queue',
  'job-queue': '@platformatic/job-queue',
} as const

type PeerKind = keyof typeof NAMES

export const peerNames = Object.values(NAMES)

/** A peer whose worker's concurrency can be chosen. */
export type Peer = Server & { setConcurrency: (concurrency: number) => Promise<void> }

export const isPeer = (server: Server): server is Peer => 'setConcurrency' in server

/** Starts what placeorder has: a Redis, a worker and a server that speaks signed HTTP. */
export async function peer(
  testBed: TestBed,
  stack: AsyncDisposableStack,
  kind: PeerKind,
): Promise<Peer> {
  const name = NAMES[kind]
  const redis = await redisFor(testBed, stack, kind)
  const env = { REDIS_URL: redis.url, POLICY_FILE: testBed.files.policy }
  const worker = await commanded(stack, 'worker', `baselines/${kind}-worker.ts`, env)
  const server = await serverFor(testBed, stack, `baselines/${kind}-server.ts`, env)
  await smokeTest(testBed, name, [server.url])
  return {
    name,
    urls: [server.url],
    redis,
    programs: [server, worker, { name: 'redis', pid: redis.pid }],
    setConcurrency: async (concurrency) => {
      await worker.command('concurrency', concurrency, z.unknown())
    },
  }
}
