import { randomUUID } from 'node:crypto'
import { testPostgres } from '@placeorder/testkit'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { anOrder } from '../test/an-order.ts'
import { ArchiveBehind, RedisWentBack } from './archive-fault.ts'
import type { OrderToArchive } from './archived-order.ts'
import { migrate } from './migrate.ts'
import { openArchive } from './open-archive.ts'
import { type EntryMark, isAfter, type RedisSide } from './write-batch.ts'

const postgres = await testPostgres()
await migrate(postgres.url)
const archive = openArchive({ url: postgres.url })
afterAll(async () => {
  await archive.close()
  await postgres.close()
})

let shard = { archiveId: randomUUID(), shard: 0 }
beforeEach(async () => {
  shard = { archiveId: randomUUID(), shard: 0 }
  await archive.register(shard.archiveId, 1)
})

const first: EntryMark = { id: '1-0', digest: 'one' }
const second: EntryMark = { id: '2-0', digest: 'two' }

/** A Redis whose outbox has these entries. */
const redisWith =
  (entries: EntryMark[], committed = 0) =>
  async (at: string | undefined): Promise<RedisSide> => ({
    committed,
    entry: entries.find(({ id }) => id === at),
  })

const write = (
  orders: OrderToArchive[],
  { last = first, redisSide = redisWith([first, second]) } = {},
) => archive.write(shard, { orders, last, redisSide })
const found = async (orders: OrderToArchive[]) => (await archive.lookUp(shard, orders)).found
const stands = async () => (await archive.shards(shard.archiveId))[0]

test('a batch is there with all that is asked of it', async () => {
  const orders = [anOrder(), anOrder({ outcome: 'RISK_REJECT why', customerDigest: 'c' })]
  expect(await write(orders)).toEqual({
    version: 1,
    inserted: 2,
    contradictions: [],
    unkeepable: [],
  })
  const [one, two] = orders
  if (one === undefined || two === undefined) throw new Error('there are two')
  for (const order of orders) {
    const { storeId, amount, currency, codeDigest, customerDigest, request, ...narrow } = order
    expect(await found([order])).toMatchObject([{ ...narrow, shard: 0, version: 1 }])
    expect(await archive.requestOf(order)).toBe(request)
  }
  expect(await stands()).toMatchObject({ version: 1, archivedTo: '1-0' })
})

test('a batch that is written again changes nothing but the version', async () => {
  const orders = [anOrder(), anOrder()]
  await write(orders)
  const before = await found(orders)
  const again = await write([...orders, anOrder()])
  expect(again).toMatchObject({ version: 2, inserted: 1, contradictions: [] })
  expect(await found(orders)).toEqual(before)
})

test.each<[string, Partial<OrderToArchive>]>([
  ['another outcome', { outcome: 'PROCESS_FAIL' }],
  ['other terms', { terms: '101 CNY 101 CNY ' }],
  ['another paymentRequestId', { paymentRequestId: 'R-2' }],
  ['another merchant', { merchantId: 'M-2' }],
  ['another time of its conclusion', { concludedAt: 0 }],
])('an order that is there with %s is a contradiction, and stays', async (_what, change) => {
  const [order, equal] = [anOrder(), anOrder()]
  await write([order, equal])
  const before = await found([order])
  const changed = { ...order, ...change }
  expect(await write([changed, equal])).toMatchObject({ contradictions: [changed] })
  expect(await found([order])).toEqual(before)
})

test('two batches of a shard at once get a version each', async () => {
  const batches = Array.from({ length: 8 }, () => [anOrder(), anOrder()])
  const written = await Promise.all(batches.map((orders) => write(orders)))
  expect(written.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

test('two archivers with the same batch both find it equal', async () => {
  const orders = [anOrder(), anOrder()]
  const written = await Promise.all([write(orders), write(orders)])
  expect(written.map(({ inserted }) => inserted).sort()).toEqual([0, 2])
  expect(written.flatMap(({ contradictions }) => contradictions)).toEqual([])
})

describe('an archive that is behind', () => {
  test('with a lower version than it has confirmed is not written to', async () => {
    await write([anOrder()])
    const order = anOrder()
    const redisSide = redisWith([first], 2)
    await expect(write([order], { redisSide })).rejects.toThrow(ArchiveBehind)
    expect(await found([order])).toEqual([])
    expect(await stands()).toMatchObject({ version: 1 })
  })

  test('that does not know the shard is not written to', async () => {
    shard = { archiveId: randomUUID(), shard: 0 }
    await expect(write([anOrder()])).rejects.toThrow(ArchiveBehind)
  })

  test('does not catch up by being written to', async () => {
    const redisSide = redisWith([first], 1)
    for (let times = 0; times < 3; times += 1)
      await expect(write([anOrder()], { redisSide })).rejects.toThrow(ArchiveBehind)
  })
})

test('what another archiver writes during a comparison proves nothing', async () => {
  await write([anOrder()])
  let committed = 1
  await archive.compare(shard, async (at) => {
    if (at === first.id) committed = (await write([anOrder()], { last: second })).version
    return { committed, entry: at === second.id ? second : undefined }
  })
  expect(committed).toBe(2)
})

describe('a Redis that went back', () => {
  test.each<[string, EntryMark[]]>([
    ['without the entry that is archived', []],
    ['with another entry of its id', [{ id: first.id, digest: 'other' }]],
  ])('%s is not copied', async (_what, entries) => {
    await write([anOrder()])
    const order = anOrder()
    const redisSide = redisWith(entries, 1)
    await expect(write([order], { redisSide, last: second })).rejects.toThrow(RedisWentBack)
    expect(await found([order])).toEqual([])
  })
})

describe('a row that PostgreSQL cannot keep', () => {
  test('is found in its batch, and keeps no other row from being written', async () => {
    const orders = Array.from({ length: 9 }, () => anOrder())
    const bad = anOrder({ merchantId: 'M\0' })
    const written = await write([...orders.slice(0, 4), bad, ...orders.slice(4)])
    expect(written).toMatchObject({ inserted: 9, unkeepable: [{ order: bad }] })
    expect(await found(orders)).toHaveLength(9)
  })

  test('alone in a batch lets the outbox go on', async () => {
    const bad = anOrder({ amount: 'much' })
    expect(await write([bad])).toMatchObject({ inserted: 0, unkeepable: [{ order: bad }] })
    expect(await stands()).toMatchObject({ archivedTo: '1-0' })
  })
})

test('what fails otherwise is written as a whole or not at all', async () => {
  const order = anOrder()
  const redisSide = async () => {
    throw new Error('Redis is away')
  }
  await expect(write([order], { redisSide })).rejects.toThrow('Redis is away')
  expect(await found([order])).toEqual([])
  expect(await stands()).toMatchObject({ version: 0 })
})

test('a deadlock is tried again', async () => {
  const order = anOrder()
  await postgres.query(`
    CREATE SEQUENCE attempts;
    CREATE FUNCTION fail_once() RETURNS trigger AS $$ BEGIN
      IF nextval('attempts') = 1 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
      RETURN NEW;
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER fail_once BEFORE INSERT ON orders
      FOR EACH STATEMENT EXECUTE FUNCTION fail_once()`)
  expect(await write([order])).toMatchObject({ version: 1, inserted: 1 })
  await postgres.query('DROP TRIGGER fail_once ON orders')
})

test('a look-up says with the orders how new the archive is', async () => {
  const order = anOrder()
  expect(await archive.lookUp(shard, [order])).toEqual({ version: 0, found: [] })
  await write([order])
  const others = Array.from({ length: 31 }, () => anOrder())
  expect(await archive.lookUp(shard, [...others, order])).toMatchObject({
    version: 1,
    found: [{ paymentId: order.paymentId }],
  })
  const unknown = { archiveId: randomUUID(), shard: 0 }
  expect(await archive.lookUp(unknown, [order])).toEqual({ version: undefined, found: [] })
})

test.each([
  ['1-0', undefined, true],
  ['2-0', '1-9', true],
  ['1-10', '1-9', true],
  ['1-9', '1-9', false],
  ['1-9', '10-0', false],
])('entry %s comes after %s: %s', (id, other, after) => {
  expect(isAfter(id, other)).toBe(after)
})
