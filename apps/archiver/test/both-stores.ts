import { randomUUID } from 'node:crypto'
import { type Archive, migrate, openArchive } from '@placeorder/archive'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import {
  type ArchiverStore,
  connect,
  disconnect,
  type IngressStore,
  type OrderId,
  type Outcome,
  openArchiverStore,
  openIngressStore,
  openWorkerStore,
  orderIdOf,
  type RedisConnection,
  shardOf,
  type WorkerStore,
} from '@placeorder/store'
import { aPlaceOrder, type TestPostgres, testPostgres, testRedis } from '@placeorder/testkit'
import { afterAll } from 'vitest'

/** A real Redis and a real PostgreSQL, migrated and switched on. */
export type BothStores = {
  redisUrl: string
  postgres: TestPostgres
  archiveId: string
  archive: Archive
  store: ArchiverStore
  worker: WorkerStore
  /** Looks behind everybody's back. */
  connection: RedisConnection
  /** Claims orders and concludes them in one call each shard. */
  conclude: (orders?: PlaceOrderRequest[], outcome?: Outcome) => Promise<OrderId[]>
}

/** `ownerIn` makes the role that owns the tables, and resolves with its URL. */
export async function openBothStores({
  shards = 1,
  ownerIn = async ({ url }: TestPostgres) => url,
} = {}): Promise<BothStores> {
  const [redis, postgres] = await Promise.all([testRedis({ own: true }), testPostgres()])
  const url = await ownerIn(postgres)
  await migrate(url)
  const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
  const options = { address, shards, onFault: () => {} }
  const ingress = await openIngressStore({ ...options, waitMs: 100 })
  const worker = await openWorkerStore(options)
  const store = await openArchiverStore(options)
  const archive = openArchive({ url })
  const connection = connect(address, 'patient')
  const archiveId = randomUUID()
  await archive.register(archiveId, shards)
  for (let shard = 0; shard < shards; shard += 1) await store.states.switchOn(shard, archiveId)
  afterAll(async () => {
    await Promise.all([ingress.close(), worker.close(), store.close(), archive.close()])
    await disconnect(connection)
    await Promise.all([redis.close(), postgres.close()])
  })
  const conclude = async (orders = [aPlaceOrder()], outcome: Outcome = 'SUCCESS') => {
    await Promise.all(orders.map((order) => accept(ingress, order)))
    const orderIds = orders.map((order) => orderIdOf(order))
    const byShard = Map.groupBy(orderIds, (orderId) => shardOf(orderId, shards))
    for (const [shard, ids] of byShard)
      await worker.orders.concludeAll(
        shard,
        ids.map((orderId) => ({ orderId, outcome })),
      )
    return orderIds
  }
  return { redisUrl: redis.url, postgres, archiveId, archive, store, worker, connection, conclude }
}

const accept = ({ intake }: IngressStore, order: PlaceOrderRequest) =>
  intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
