import type { PlaceOrderRequest } from '@placeorder/protocol'
import { testRedis } from '@placeorder/testkit'
import { afterAll } from 'vitest'
import type { Accepted } from '../src/intake/accepted.ts'
import { type IngressStore, openIngressStore } from '../src/open-ingress-store.ts'
import { openWorkerStore, type WorkerStore } from '../src/open-store.ts'
import {
  connect,
  disconnect,
  type RedisAddress,
  type RedisConnection,
} from '../src/redis/connection.ts'

/** A store on a real Redis for one test file, closed after it. `connection` is apart from it. */
export type TestStore = {
  address: RedisAddress
  ingress: IngressStore
  worker: WorkerStore
  connection: RedisConnection
  /** Accepts an order of the client C-1, which must be open. */
  accept: (order: PlaceOrderRequest) => Promise<Extract<Accepted, { kind: 'OPEN' }>>
}

/** A connection whose scripts run twice, as when a reply is lost and the script is sent again. */
export const runningTwice = (connection: RedisConnection): RedisConnection =>
  Object.assign(Object.create(connection), {
    eval: async (...args: Parameters<RedisConnection['eval']>) => {
      await connection.eval(...args)
      return connection.eval(...args)
    },
    evalsha: async (...args: Parameters<RedisConnection['evalsha']>) => {
      await connection.evalsha(...args)
      return connection.evalsha(...args)
    },
  })

export async function openTestStore({ shards = 1, own = false } = {}): Promise<TestStore> {
  const redis = await testRedis({ own: own || shards > 1 })
  const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
  const options = { address, shards, onFault: () => {} }
  // No worker decides here, so the wait is short.
  const ingress = await openIngressStore({ ...options, waitMs: 100 })
  const worker = await openWorkerStore(options)
  const connection = connect(address, 'patient')
  afterAll(async () => {
    await ingress.close()
    await worker.close()
    await disconnect(connection)
    await redis.close()
  })
  return {
    address,
    ingress,
    worker,
    connection,
    accept: async (order) => {
      const accepted = await ingress.intake.accept(
        { order, clientId: 'C-1' },
        AbortSignal.timeout(5_000),
      )
      if (accepted.kind !== 'OPEN') throw new Error(`the order is ${accepted.kind}`)
      return accepted
    },
  }
}
