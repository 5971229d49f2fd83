import { namesOf, type OrderId, shardOf } from '@placeorder/store'
import { aPlaceOrder, startProcess } from '@placeorder/testkit'
import { afterEach, expect, test, vi } from 'vitest'
import { openBothStores } from './both-stores.ts'

// What an archiver that died had is taken over after 30 s.
vi.setConfig({ testTimeout: 240_000 })

type Running = ReturnType<typeof startProcess>

const SHARDS = 2
const both = await openBothStores({ shards: SHARDS })
const { archive, archiveId, store, conclude, connection } = both
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
      FORGET: 'true',
      TEST_KEEP_SECONDS: '1',
      ADMIN_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
    },
  })
  running.push(archiver)
  return archiver
}

/** Orders that are in Redis and should not be, not in the archive, or not in a filter. */
async function wrongOf(orderIds: OrderId[]): Promise<string[]> {
  const wrong: string[] = []
  for (const [shard, ids] of Map.groupBy(orderIds, (orderId) => shardOf(orderId, SHARDS))) {
    const { found } = await archive.lookUp({ archiveId, shard }, ids.map(namesOf))
    const archived = new Set(found.map(({ paymentId }) => paymentId))
    const mayHave = await store.forgetting.mayHave(shard, ids)
    const records = await store.forgetting.read(shard, ids)
    for (const [i, orderId] of ids.entries()) {
      if (!archived.has(namesOf(orderId).paymentId)) wrong.push(`${orderId} is not archived`)
      if (!mayHave[i]) wrong.push(`${orderId} is in no filter`)
      if (records[i] !== undefined) wrong.push(`${orderId} is in Redis`)
    }
  }
  return wrong
}

test('archivers killed at random forget each order, and only what is archived', async () => {
  const concluded: OrderId[] = []
  const archivers = [startArchiver(), startArchiver()]
  const [{ admin }] = await Promise.all(
    archivers.map(async (one) => JSON.parse(await one.waitFor(/"archiving"/))),
  )
  expect((await fetch(`${admin}/metrics`)).status).toBe(200)
  for (let round = 0; round < 5; round += 1) {
    for (let call = 0; call < 10; call += 1)
      concluded.push(...(await conclude(Array.from({ length: 20 }, () => aPlaceOrder()))))
    const victim = archivers.splice(Math.floor(Math.random() * archivers.length), 1)[0]
    victim?.kill('SIGKILL')
    archivers.push(startArchiver())
  }
  await vi.waitFor(async () => expect(await connection.keys('{s*}:order:*')).toEqual([]), {
    timeout: 120_000,
    interval: 250,
  })
  expect(await wrongOf(concluded)).toEqual([])
  const counts = await Promise.all(
    [0, 1].map(async (shard) => (await store.forgetting.stateOf(shard)).filters[0]?.count ?? 0),
  )
  expect(counts.reduce((sum, count) => sum + count)).toBe(concluded.length)
})

test('an archiver says what it has forgotten, and how far it is behind', async () => {
  const archiver = startArchiver()
  const { admin } = JSON.parse(await archiver.waitFor(/"archiving"/))
  await conclude([aPlaceOrder(), aPlaceOrder()])
  const metrics = async () => (await fetch(`${admin}/metrics`)).text()
  await vi.waitFor(
    async () => expect(await metrics()).toMatch(/^placeorder_forgotten_orders_total 2$/m),
    { timeout: 60_000, interval: 250 },
  )
  expect(await metrics()).toMatch(/^placeorder_forget_lag_seconds 0$/m)
  expect(await metrics()).toMatch(/^placeorder_filter_fill_ratio \d/m)
})
