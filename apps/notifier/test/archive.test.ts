import { randomUUID } from 'node:crypto'
import { maintain, migrate, openArchive, orderToArchive } from '@placeorder/archive'
import type { OrderEvent } from '@placeorder/events'
import { digestOf, namesOf, type OrderId, orderIdOf, shardOf } from '@placeorder/store'
import { aPlaceOrder, testPostgres } from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { Backlog } from '../src/backlog.ts'
import { Outcomes } from '../src/outcomes.ts'
import { Pull } from '../src/pull/pull.ts'
import { openEventSystem, openReceiver, secret } from './system.ts'

const SHARDS = 2
const { store, conclude, notify, connection } = await openEventSystem({ shards: SHARDS })
const postgres = await testPostgres()
await migrate(postgres.url)
const archive = openArchive({ url: postgres.url })
afterAll(async () => {
  await archive.close()
  await postgres.close()
})
const archiveId = randomUUID()
await archive.register(archiveId, SHARDS)
for (let shard = 0; shard < SHARDS; shard += 1) await store.states.switchOn(shard, archiveId)
const outcomes = new Outcomes({ store, archive })
const backlog = new Backlog({ store, archive, shards: SHARDS })
const within = { timeout: 20_000, interval: 50 }
const orders = (count: number) => Array.from({ length: count }, () => aPlaceOrder())

/** Archives what is in the outboxes, as an archiver does. */
async function archiveAll(): Promise<void> {
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const entries = await store.outbox.read(shard, 'test', 1_000)
    const last = entries.at(-1)
    if (last === undefined) continue
    const records = await store.records.read(
      shard,
      entries.flatMap(({ orderIds }) => orderIds),
    )
    const toArchive = records.flatMap((record) =>
      record instanceof Error ? [] : [orderToArchive(record, digestOf)],
    )
    const redisSide = async (at: string | undefined) => ({
      committed: (await store.states.of(shard))?.committed ?? 0,
      entry: at === undefined ? undefined : await store.outbox.entryAt(shard, at),
    })
    const written = await archive.write(
      { archiveId, shard },
      { orders: toArchive, last, redisSide },
    )
    const { version } = written
    await store.states.raise(shard, { archiveId, version, archivedTo: last.id })
    await store.outbox.acknowledge(
      shard,
      entries.map(({ id }) => id),
    )
  }
}

const forget = (orderIds: OrderId[]) =>
  Promise.all(
    orderIds.map((orderId) => connection.del(`{s${shardOf(orderId, SHARDS)}}:order:${orderId}`)),
  )

const webhook = (url: string, more: object = {}) => ({
  name: `sink-${randomUUID().slice(0, 8)}`,
  ...{ type: 'webhook', url, secrets: [secret], ...more },
})

test('a sink is sent what was concluded since its time, also if forgotten', async () => {
  const old = await conclude(orders(3))
  const after = Date.now() + 2
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(after), within)
  const from = new Date().toISOString()
  const since = await conclude(orders(130))
  await archiveAll()
  await forget([...old, ...since.slice(0, 60)])
  const receiver = await openReceiver()
  await notify([webhook(receiver.url, { from, batch: 20 })], { outcomes, backlog })
  const later = await conclude(orders(5))
  await archiveAll()
  await vi.waitFor(() => {
    for (const orderId of [...since, ...later]) expect(receiver.delivered()).toContain(orderId)
  }, within)
  for (const orderId of old) expect(receiver.delivered()).not.toContain(orderId)
})

test('what is concluded and not archived yet is not left out between old and new', async () => {
  const from = new Date().toISOString()
  const archived = await conclude(orders(3))
  await archiveAll()
  const waiting = await conclude(orders(3))
  const receiver = await openReceiver()
  await notify([webhook(receiver.url, { from })], { outcomes, backlog })
  await archiveAll()
  await vi.waitFor(() => {
    for (const orderId of [...archived, ...waiting]) expect(receiver.delivered()).toContain(orderId)
  }, within)
})

test('whoever pulls since a time gets the archive first, and then the outbox', async () => {
  const pull = new Pull({ store, outcomes, archive, shards: SHARDS, demandPassed: () => {} })
  await pull.open()
  const since = Date.now()
  const archived = await conclude(orders(10))
  await archiveAll()
  await forget(archived)
  const waiting = await conclude(orders(10))
  const seen: string[] = []
  let answer = await pull.page({ since, filter: {}, limit: 5 })
  for (let page = 0; page < 10; page += 1) {
    if (answer.kind !== 'events') throw new Error(answer.reason)
    seen.push(...answer.events.map(({ data }) => orderIdOf(data)))
    answer = await pull.page({ after: answer.next, filter: {}, limit: 5 })
  }
  expect([...new Set(seen)].sort()).toEqual([...archived, ...waiting].sort())
})

test('nobody pulls past what is forgotten and missing in an archive put back', async () => {
  const pull = new Pull({ store, outcomes, archive, shards: SHARDS, demandPassed: () => {} })
  await pull.open()
  const begin = await pull.page({ filter: {}, limit: 5 })
  if (begin.kind !== 'events') throw new Error(begin.reason)
  const [orderId = '' as OrderId] = await conclude(orders(1))
  const record = `{s${shardOf(orderId, SHARDS)}}:order:${orderId}`
  await connection.rename(record, `${record} away`)
  const request = { after: begin.next, filter: {}, limit: 5 }
  await expect(pull.page(request)).rejects.toThrow('cannot be read')
  await connection.rename(`${record} away`, record)
  expect(await pull.page(request)).toMatchObject({ events: [{ type: 'order.placed' }] })
})

test('what a newer version has packed waits for its notifiers, and holds up no other', async () => {
  const pull = new Pull({ store, outcomes, archive, shards: SHARDS, demandPassed: () => {} })
  await pull.open()
  const begin = await pull.page({ filter: {}, limit: 50 })
  if (begin.kind !== 'events') throw new Error(begin.reason)
  const orderIds = await conclude(orders(12))
  await archiveAll()
  const [newer = '' as OrderId] = orderIds
  const shard = shardOf(newer, SHARDS)
  const ofShard = orderIds.filter((orderId) => shardOf(orderId, SHARDS) === shard)
  /** In both stores. */
  const packAs = async (version: string) => {
    const key = `{s${shard}}:order:${newer}`
    const packed = version + ((await connection.hget(key, 'request')) ?? '').slice(1)
    await connection.hset(key, 'request', packed)
    const { paymentId } = namesOf(newer)
    const sql = 'UPDATE order_requests SET request = $1 WHERE payment_id = $2'
    await postgres.query(sql, [packed, paymentId])
  }
  const request = { after: begin.next, filter: {}, limit: 50 }
  await packAs('4')
  const found = await outcomes.of(shard, ofShard)
  expect(ofShard.filter((_, i) => found[i] instanceof Error)).toEqual([newer])
  await expect(pull.page(request)).rejects.toThrow('cannot be read')
  await packAs('3')
  const page = await pull.page(request)
  if (page.kind !== 'events') throw new Error(page.reason)
  expect(page.events.map(({ data }) => orderIdOf(data)).sort()).toEqual(orderIds.toSorted())
})

test('an event of a forgotten order whose request was dropped lacks only its fields', async () => {
  const receiver = await openReceiver()
  const sink = webhook(receiver.url, { full: true })
  for (let shard = 0; shard < SHARDS; shard += 1) await store.streams.open(shard, sink.name)
  const order = aPlaceOrder({ env: { userAgent: 'a browser' } })
  const [orderId = '' as OrderId] = await conclude([order])
  await archiveAll()
  await forget([orderId])
  await notify([sink], { outcomes, backlog })
  const sent = (count: number) =>
    vi.waitFor(() => expect(receiver.requests).toHaveLength(count), within)
  await sent(1)
  await maintain(postgres.url, { requestsKeepMonths: 1, now: Date.now() + 100 * 86_400_000 })
  await store.streams.replay(shardOf(orderId, SHARDS), sink.name, [orderId])
  await sent(2)
  const [before, after] = receiver.requests.flat() as [OrderEvent, OrderEvent]
  const { codeValue, customerId, env, referenceStoreId, ...kept } = before.data
  expect([codeValue, customerId, env, referenceStoreId]).toEqual([
    order.codeValue,
    order.customerId,
    order.env,
    order.merchant.store?.referenceStoreId,
  ])
  expect(referenceStoreId).toBeDefined()
  expect(after).toEqual({ ...before, data: kept })
})
