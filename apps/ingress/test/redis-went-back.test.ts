import { randomUUID } from 'node:crypto'
import { migrate, openArchive } from '@placeorder/archive'
import { connect, disconnect, openOperatorStore } from '@placeorder/store'
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
there.hostname = '127.0.0.1'
there.port = String(proxy.port)
const system = await openSystem({ redisUrl: there.href })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const store = await openOperatorStore({ address, shards: 1, onFault: () => {} })
const archive = openArchive({ url: postgres.url })
const connection = connect(address, 'patient')
afterAll(async () => {
  await Promise.all([store.close(), archive.close(), system.close()])
  await disconnect(connection)
  await proxy.close()
  await Promise.all([redis.close(), postgres.close()])
})

const both = { REDIS_URL: redis.url, ARCHIVE_URL: postgres.url }

async function archiveAll(): Promise<void> {
  const env = { ...both, ADMIN_PORT: '0' }
  const archiver = startProcess({ name: 'archiver', entry: 'apps/archiver/src/main.ts', env })
  await vi.waitFor(
    async () => {
      expect((await store.outbox.progress(0))?.oldest).toBeUndefined()
      expect((await store.states.of(0))?.archivedTo).toBeDefined()
    },
    { timeout: 60_000, interval: 50 },
  )
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

test('an ingress answers nothing by an older Redis, until it is restored', async () => {
  const archiveId = randomUUID()
  await archive.register(archiveId, 1)
  await store.states.switchOn(0, archiveId)
  const goBack = await remember()
  const env = { ARCHIVE_URL: postgres.url }
  const [ingress] = await Promise.all([system.startIngress(env), system.startWorker(env)])
  const order = aPlaceOrder()
  const { acquirerId, pspId, paymentId } = order
  const placed = await ingress.place(order)
  expect(placed.code).toBe('SUCCESS')
  await archiveAll()
  await goBack()
  await ingress.waitFor(/REDIS IS OLDER THAN IT WAS/)
  expect((await fetch(`${ingress.admin}/readyz`)).status).toBe(503)
  expect((await ingress.place(order)).code).toBe('UNKNOWN_EXCEPTION')
  expect((await ingress.inquire({ acquirerId, pspId, paymentId })).code).toBe('UNKNOWN_EXCEPTION')
  const restoring = startProcess({
    name: 'archive',
    entry: 'apps/operator/src/archive/main.ts',
    args: ['restore'],
    env: both,
  })
  expect(await restoring.exited).toBe(0)
  await ingress.waitFor(/Redis is as new as it was/)
  expect((await ingress.place(order)).body).toEqual(placed.body)
  expect((await fetch(`${ingress.admin}/readyz`)).status).toBe(200)
})
