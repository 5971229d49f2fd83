import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DirectoryFile } from '@placeorder/decision'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import {
  lookupIdsOf,
  type OrderGroup,
  openIngressStore,
  openWorkerStore,
  orderIdOf,
  type WorkerStore,
} from '@placeorder/store'
import { joinableJobKey } from '@placeorder/store/keys'
import { testRedis } from '@placeorder/testkit'
import { afterAll } from 'vitest'
import type { ChecksObserver } from '../src/checks/guard.ts'
import { judgeOrder } from '../src/judge-order.ts'
import type { ProcessDeps } from '../src/process-deps.ts'
import { parseRulebook } from '../src/rulebook.ts'

const config = join(import.meta.dirname, '../../../config')

/** An observer of checks that does nothing. */
export const noOpChecksObserver: ChecksObserver = {
  inForce: () => {},
  failed: () => {},
  circuit: () => {},
}

/**
 * A worker's store on a Redis of its own, with the sample directory and policy; closed after the
 * file's tests.
 */
export type TestWorker = {
  store: WorkerStore
  deps: ProcessDeps
  /** Accepts orders and returns the group that a worker would get. */
  groupOf: (...orders: PlaceOrderRequest[]) => Promise<OrderGroup>
}

export async function openTestWorker(changes: Partial<ProcessDeps> = {}): Promise<TestWorker> {
  const redis = await testRedis({ own: true })
  const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
  const ingress = await openIngressStore({ address, shards: 1, waitMs: 100, onFault: () => {} })
  const store = await openWorkerStore({ address, shards: 1, onFault: () => {} })
  afterAll(async () => {
    await ingress.close()
    await store.close()
    await redis.close()
  })
  const sample = DirectoryFile.parse(
    JSON.parse(await readFile(join(config, 'directory.json'), 'utf8')),
  )
  await store.directory.put(sample.merchants, sample.codes)
  const policy = await readFile(join(config, 'policy.json'), 'utf8')
  const rulebook = await parseRulebook(policy, 'policy.json', noOpChecksObserver)
  return {
    store,
    deps: {
      store,
      rulebook: () => rulebook,
      judgeIsolated: (facts, rules, signal) => judgeOrder(facts, rules, signal),
      checksMs: 1_000,
      decideWithinMs: 600_000,
      observer: {
        taken: () => {},
        redisAnswered: () => {},
        stage: () => {},
        decided: () => {},
        concluded: () => {},
        undecided: () => {},
        unreadable: () => {},
        abandoned: () => {},
      },
      ...changes,
    },
    groupOf: async (...orders) => {
      await store.connection.del(joinableJobKey(0)) // They get a job of their own.
      await Promise.all(
        orders.map((order) =>
          ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000)),
        ),
      )
      const orderIds = orders.map(orderIdOf)
      const [jobId = ''] = await store.orders.jobsOf(0, orderIds)
      return {
        orderIds,
        subjects: new Map(orders.map((order) => [orderIdOf(order), lookupIdsOf(order)])),
        jobId,
        shard: 0,
        dueAt: Date.now(),
        takenAt: Date.now(),
        attempt: 1,
        stalled: 0,
        joined: false,
        signal: new AbortController().signal,
      }
    },
  }
}
