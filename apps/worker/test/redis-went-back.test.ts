import { randomUUID } from 'node:crypto'
import { migrate, openArchive } from '@placeorder/archive'
import {
  connect,
  disconnect,
  type OrderId,
  openIngressStore,
  openOperatorStore,
  orderIdOf,
} from '@placeorder/store'
import {
  aPlaceOrder,
  FaultProxy,
  openSystem,
  startProcess,
  testPostgres,
  testRedis,
} from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 180_000 })

const [redis, postgres] = await Promise.all([testRedis({ own: true }), testPostgres()])
await migrate(postgres.url)
const there = new URL(redis.url)
const proxy = await FaultProxy.open({ host: there.hostname, port: Number(there.port) })
const through = new URL(there)
through.hostname = '127.0.0.1'
through.port = String(proxy.port)
const system = await openSystem({ redisUrl: through.href })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const options = { address, shards: 1, onFault: () => {} }
const ingress = await openIngressStore(options)
const store = await openOperatorStore(options)
const archive = openArchive({ url: postgres.url })
const connection = connect(address, 'patient')
afterAll(async () => {
  await Promise.all([ingress.close(), store.close(), archive.close(), system.close()])
  await disconnect(connection)
  await proxy.close()
  await Promise.all([redis.close(), postgres.close()])
})

const both = { REDIS_URL: redis.url, ARCHIVE_URL: postgres.url }
const within = { timeout: 60_000, interval: 50 }

async function claim(): Promise<OrderId> {
  const order = aPlaceOrder()
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
  return orderIdOf(order)
}
const outcomeOf = async (orderId: OrderId) => (await store.orders.record(orderId))?.outcome
const concluded = (orderId: OrderId) =>
  vi.waitFor(async () => expect(await outcomeOf(orderId)).toBeDefined(), within)

async function archiveAll(): Promise<void> {
  const archiver = startProcess({
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    env: { ...both, ADMIN_PORT: '0' },
  })
  await vi.waitFor(async () => {
    expect((await store.outbox.progress(0))?.oldest).toBeUndefined()
    expect((await store.states.of(0))?.archivedTo).toBeDefined()
  }, within)
  archiver.kill('SIGTERM')
  await archiver.exited
}

/** Puts Redis back to what it holds now, while nobody is connected through the proxy. */
async function remember(): Promise<() => Promise<void>> {
  const keys = await connection.keys('*')
  const kept = await Promise.all(keys.map((key) => connection.dumpBuffer(key)))
  return async () => {
    await proxy.refuse()
    await connection.flushall()
    for (const [i, key] of keys.entries()) {
      const value = kept[i]
      if (value != null) await connection.restore(key, 0, value)
    }
    await proxy.heal()
  }
}

test('a worker decides nothing by an older Redis, until it is restored', async () => {
  const archiveId = randomUUID()
  await archive.register(archiveId, 1)
  await store.states.switchOn(0, archiveId)
  const orderId = await claim()
  const goBack = await remember()
  const worker = await system.startWorker({ ARCHIVE_URL: postgres.url })
  await concluded(orderId)
  const first = await store.orders.record(orderId)
  await archiveAll()
  await goBack()
  expect(await outcomeOf(orderId)).toBeUndefined()
  await worker.waitFor(/REDIS IS OLDER THAN IT WAS/)
  const ready = await fetch(`${worker.admin}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringContaining('of the outbox of shard 0 is archived'),
  ])
  const later = await claim()
  const restoring = startProcess({
    name: 'archive',
    entry: 'apps/operator/src/archive/main.ts',
    args: ['restore'],
    env: both,
  })
  expect(await restoring.exited).toBe(0)
  await worker.waitFor(/Redis is as new as it was/)
  expect(await store.orders.record(orderId)).toEqual(first)
  await concluded(later)
  expect((await fetch(`${worker.admin}/readyz`)).status).toBe(200)
  worker.kill('SIGTERM')
  expect(await worker.exited).toBe(0)
})

test('a worker that does not know the archive is not ready once orders are forgotten', async () => {
  await connection.hset('{s0}:archive', 'filters', '1:64:1')
  const worker = await system.startWorker()
  const ready = await fetch(`${worker.admin}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringContaining('ARCHIVE_URL is not set'),
  ])
})
