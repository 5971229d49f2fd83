import { namesOf } from '@placeorder/store'
import { aPlaceOrder, FaultProxy, startProcess } from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { openBothStores } from './both-stores.ts'

// A silent PostgreSQL is given up on after 12 s, and once more for the rollback.
vi.setConfig({ testTimeout: 180_000 })

const both = await openBothStores()
const { archive, archiveId, store, conclude } = both
const there = new URL(both.postgres.url)
const proxy = await FaultProxy.open({ host: there.hostname, port: Number(there.port) })
const through = new URL(there)
through.hostname = '127.0.0.1'
through.port = String(proxy.port)
const archiver = startProcess({
  name: 'archiver',
  entry: 'apps/archiver/src/main.ts',
  env: {
    REDIS_URL: both.redisUrl,
    ARCHIVE_URL: through.href,
    ADMIN_PORT: '0',
    ADMIN_HOST: '127.0.0.1',
  },
})
afterAll(async () => {
  archiver.kill('SIGKILL')
  await archiver.exited
  await proxy.close()
})
const { admin } = JSON.parse(await archiver.waitFor(/"archiving"/))

const readiness = async () => (await fetch(`${admin}/readyz`)).status
const within = { timeout: 90_000, interval: 250 }

test.each([
  ['refuses connections', () => proxy.refuse()],
  ['is silent', async () => proxy.blackHole()],
])('a PostgreSQL that %s delays the archive, and loses no order', async (_how, fail) => {
  await vi.waitFor(async () => expect(await readiness()).toBe(200), within)
  await fail()
  const orderIds = await conclude(Array.from({ length: 30 }, () => aPlaceOrder()))
  await vi.waitFor(async () => expect(await readiness()).toBe(503), within)
  expect((await store.outbox.progress(0))?.oldest).toBeDefined()
  await proxy.heal()
  await vi.waitFor(
    async () => expect((await store.outbox.progress(0))?.oldest).toBeUndefined(),
    within,
  )
  const { found } = await archive.lookUp({ archiveId, shard: 0 }, orderIds.map(namesOf))
  expect(found).toHaveLength(orderIds.length)
})
