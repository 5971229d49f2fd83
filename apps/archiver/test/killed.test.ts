import { differences, orderToArchive } from '@placeorder/archive'
import { digestOf, namesOf, type OrderId, shardOf } from '@placeorder/store'
import { aPlaceOrder, startProcess } from '@placeorder/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { openBothStores } from './both-stores.ts'

// What an archiver that died had is taken over after 30 s.
vi.setConfig({ testTimeout: 240_000 })

type Running = ReturnType<typeof startProcess>

const SHARDS = 2
const both = await openBothStores({ shards: SHARDS })
const { archive, archiveId, store, conclude } = both
const running: Running[] = []
afterEach(async () => {
  for (const one of running) one.kill('SIGKILL')
  await Promise.all(running.splice(0).map(({ exited }) => exited))
})

function startArchiver(): Running {
  const archiver = startProcess({
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    env: {
      REDIS_URL: both.redisUrl,
      ARCHIVE_URL: both.postgres.url,
      SHARDS: String(SHARDS),
      ADMIN_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
    },
  })
  running.push(archiver)
  return archiver
}

/** Resolves once nothing of the outboxes is left to be archived. */
async function untilArchived(): Promise<void> {
  await vi.waitFor(
    async () => {
      for (let shard = 0; shard < SHARDS; shard += 1)
        expect((await store.outbox.progress(shard))?.oldest).toBeUndefined()
    },
    { timeout: 120_000, interval: 250 },
  )
}

/** Orders that are not in the archive as they are in Redis, with what differs. */
async function wrongOf(orderIds: OrderId[]): Promise<string[]> {
  const wrong: string[] = []
  for (const [shard, ids] of Map.groupBy(orderIds, (orderId) => shardOf(orderId, SHARDS))) {
    const records = await store.records.read(shard, ids)
    const { found } = await archive.lookUp({ archiveId, shard }, ids.map(namesOf))
    const byId = new Map(found.map((order) => [order.paymentId, order]))
    for (const record of records) {
      if (record instanceof Error) throw record
      const there = byId.get(record.order.paymentId)
      const names =
        there === undefined ? ['missing'] : differences(orderToArchive(record, digestOf), there)
      if (names.length > 0) wrong.push(`${record.orderId}: ${names}`)
    }
  }
  return wrong
}

test('archivers killed at random lose no order, and write none twice or otherwise', async () => {
  const concluded: OrderId[] = []
  const archivers = [startArchiver(), startArchiver()]
  await Promise.all(archivers.map((one) => one.waitFor(/"archiving"/)))
  for (let round = 0; round < 6; round += 1) {
    for (let call = 0; call < 10; call += 1)
      concluded.push(...(await conclude(Array.from({ length: 20 }, () => aPlaceOrder()))))
    const victim = archivers.splice(Math.floor(Math.random() * archivers.length), 1)[0]
    victim?.kill('SIGKILL')
    archivers.push(startArchiver())
  }
  await untilArchived()
  expect(await wrongOf(concluded)).toEqual([])
  expect(await both.postgres.query('SELECT count(*)::integer AS count FROM orders')).toEqual([
    { count: concluded.length },
  ])
})

test('SIGHUP does not end an archiver', async () => {
  const archiver = startArchiver()
  await archiver.waitFor(/"archiving"/)
  archiver.kill('SIGHUP')
  await archiver.waitFor(/SIGHUP.*the files are read again/)
  const orderIds = await conclude()
  await untilArchived()
  expect(await wrongOf(orderIds)).toEqual([])
  expect(await Promise.race([archiver.exited, Promise.resolve('running')])).toBe('running')
})

test('an archiver that receives SIGTERM leaves nothing to be taken over', async () => {
  const archiver = startArchiver()
  await archiver.waitFor(/"archiving"/)
  const orderIds = await conclude(Array.from({ length: 50 }, () => aPlaceOrder()))
  archiver.kill('SIGTERM')
  expect(await archiver.exited).toBe(0)
  for (let shard = 0; shard < SHARDS; shard += 1)
    expect(await both.connection.xpending(`{s${shard}}:outbox`, 'archive')).toEqual([
      0,
      null,
      null,
      null,
    ])
  startArchiver()
  await untilArchived()
  expect(await wrongOf(orderIds)).toEqual([])
})

test('an archiver says in its health and metrics how far it is', async () => {
  const archiver = startArchiver()
  const { admin } = JSON.parse(await archiver.waitFor(/"archiving"/))
  await conclude()
  await untilArchived()
  await vi.waitFor(async () => expect((await fetch(`${admin}/readyz`)).status).toBe(200), {
    timeout: 20_000,
  })
  const text = await (await fetch(`${admin}/metrics`)).text()
  for (const name of ['archive_lag_seconds', 'outbox_entries', 'archived_orders_total'])
    expect(text).toMatch(new RegExp(`^placeorder_${name} \\d`, 'm'))
  expect(text).toMatch(/^placeorder_archive_stopped_shards\{reason="behind"\} 0$/m)
  expect(text).not.toContain('placeorder_open_orders')
})

test('an archiver is not ready, and says why, while the archive is behind', async () => {
  const archiver = startArchiver()
  const { admin } = JSON.parse(await archiver.waitFor(/"archiving"/))
  await both.connection.hincrby('{s0}:archive', 'committed', 1_000)
  await conclude()
  await archiver.waitFor(/the archive is stopped: see the runbook/)
  const ready = await fetch(`${admin}/readyz`)
  expect([ready.status, await ready.text()]).toEqual([
    503,
    expect.stringContaining('is at version'),
  ])
  const text = await (await fetch(`${admin}/metrics`)).text()
  expect(text).toMatch(/^placeorder_archive_stopped_shards\{reason="behind"\} 1$/m)
})
