import { ArchiveBehind, differences, orderToArchive, RedisWentBack } from '@placeorder/archive'
import { digestOf, NotReplicated, namesOf, type OrderId, type OutboxEntry } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, describe, expect, test } from 'vitest'
import { openBothStores } from '../test/both-stores.ts'
import { type CopyDeps, copyBatch, readBatch } from './copy-batch.ts'

const { archive, archiveId, store, connection, conclude } = await openBothStores()
const shard = { archiveId, shard: 0 }
const reported: string[] = []
afterEach(() => void reported.splice(0))
const deps: CopyDeps = {
  store,
  archive,
  archiveId,
  observer: {
    copied: (orders) => reported.push(`copied ${orders}`),
    contradicted: (orderId) => reported.push(`contradicted ${orderId}`),
    setAside: (orderId) => reported.push(`set aside ${orderId}`),
  },
}

const read = () => store.outbox.read(0, 'test', 100)
const copy = async (entries: OutboxEntry[], other: Partial<CopyDeps> = {}) => {
  const all = { ...deps, ...other }
  await copyBatch(0, await readBatch(0, entries, all), all)
}
const found = async (orderIds: OrderId[]) =>
  (await archive.lookUp(shard, orderIds.map(namesOf))).found
const version = async () => (await archive.shards(archiveId))[0]?.version
const pending = async () => Number((await connection.xpending('{s0}:outbox', 'archive'))[0])

/** What differs between an order in Redis and in the archive; it must be in both. */
async function difference(orderId: OrderId): Promise<string[]> {
  const [record] = await store.records.read(0, [orderId])
  const [there] = await found([orderId])
  if (record === undefined || record instanceof Error || there === undefined)
    throw new Error('it is not in both')
  return differences(orderToArchive(record, digestOf), there)
}

test('orders are in the archive as they are in Redis, and acknowledged', async () => {
  const orderIds = [
    ...(await conclude([aPlaceOrder(), aPlaceOrder()])),
    ...(await conclude([aPlaceOrder()], 'RISK_REJECT a reason')),
  ]
  const entries = await read()
  await copy(entries)
  for (const orderId of orderIds) expect(await difference(orderId)).toEqual([])
  expect(await pending()).toBe(0)
  expect(reported).toEqual(['copied 3'])
  expect(await store.states.of(0)).toMatchObject({
    committed: await version(),
    archivedTo: entries.at(-1)?.id,
  })
})

test('a batch that is copied again is found equal', async () => {
  await conclude([aPlaceOrder(), aPlaceOrder()])
  const entries = await read()
  await copy(entries)
  await copy(entries)
  expect(reported).toEqual(['copied 2', 'copied 0'])
})

test('nothing is acknowledged that is not committed', async () => {
  const [orderId] = await conclude()
  const entries = await read()
  const before = await store.states.of(0)
  const failing = {
    ...archive,
    write: async () => {
      throw new Error('PostgreSQL is away')
    },
  }
  await expect(copy(entries, { archive: failing })).rejects.toThrow('away')
  expect(await pending()).toBe(1)
  expect(await store.states.of(0)).toEqual(before)
  await copy(entries)
  expect(await found(orderId === undefined ? [] : [orderId])).toHaveLength(1)
  expect(await pending()).toBe(0)
})

describe('an order that cannot be archived', () => {
  test.each([
    ['request', '3[', 'a stored value cannot be read'],
    ['claimedAt', 'yesterday', 'a stored value cannot be read: a time of it is not a time'],
  ])('for a damaged %s is set aside, and holds up no other', async (field, value, reason) => {
    const [damaged = '' as OrderId, good = '' as OrderId] = await conclude([
      aPlaceOrder(),
      aPlaceOrder(),
    ])
    await connection.hset(`{s0}:order:${damaged}`, field, value)
    await copy(await read())
    expect(await found([damaged, good])).toHaveLength(1)
    expect(reported).toEqual([`set aside ${damaged}`, 'copied 1'])
    expect(await store.states.listSetAside(0)).toContainEqual({
      orderId: damaged,
      reason,
    })
    expect(await connection.exists(`{s0}:order:${damaged}`)).toBe(1)
    expect(await pending()).toBe(0)
  })

  test('for what PostgreSQL keeps in no text is set aside, and holds up no other', async () => {
    const orders = [aPlaceOrder({ pspId: 'PSP\0' }), aPlaceOrder(), aPlaceOrder()]
    const [bad = '' as OrderId, ...good] = await conclude(orders)
    await copy(await read())
    expect(await found(good)).toHaveLength(2)
    expect(reported).toContain(`set aside ${bad}`)
    expect(await pending()).toBe(0)
  })
})

test('an order that the archive has otherwise is a contradiction, and set aside', async () => {
  const [orderId = '' as OrderId] = await conclude()
  const entries = await read()
  await copy(entries)
  await connection.hset(`{s0}:order:${orderId}`, 'outcome', 'PROCESS_FAIL')
  await copy(entries)
  expect(reported).toContain(`contradicted ${orderId}`)
  expect(await found([orderId])).toMatchObject([{ outcome: 'SUCCESS' }])
  expect(await store.states.listSetAside(0)).toContainEqual({
    orderId,
    reason: 'the archive has it otherwise',
  })
})

test.each([
  ['was not archived before', 'request', '3['],
  ['contradicted the archive', 'outcome', 'PROCESS_FAIL'],
])('an order that %s and is repaired is set aside no more', async (_what, field, value) => {
  const [orderId = '' as OrderId] = await conclude()
  const key = `{s0}:order:${orderId}`
  const right = (await connection.hget(key, field)) ?? ''
  const entries = await read()
  if (field === 'outcome') await copy(entries)
  await connection.hset(key, field, value)
  await copy(entries)
  const setAside = async () => (await store.states.listSetAside(0)).map((one) => one.orderId)
  expect(await setAside()).toContain(orderId)
  await connection.hset(key, field, right)
  await copy(entries)
  expect(await setAside()).not.toContain(orderId)
  expect(await difference(orderId)).toEqual([])
})

test.each([
  ['an order', 'replicated'],
  ['its entry', 'entryReplicated'],
])('while too few replicas have %s, it is not archived', async (_what, method) => {
  const orderIds = await conclude()
  const entries = await read()
  const yes = async () => true
  const durability = { replicated: yes, entryReplicated: yes, [method]: async () => false }
  const lagging = { store: { ...store, durability } }
  await expect(copy(entries, lagging)).rejects.toThrow(NotReplicated)
  expect(await found(orderIds)).toEqual([])
  expect(await pending()).toBe(1)
  await copy(entries)
})

describe('nothing is copied, or acknowledged,', () => {
  const refused = async (fault: typeof ArchiveBehind | typeof RedisWentBack) => {
    const orderIds = await conclude()
    const entries = await read()
    const before = await version()
    await expect(copy(entries)).rejects.toThrow(fault)
    expect(await found(orderIds)).toEqual([])
    expect(await version()).toBe(before)
    expect(await pending()).toBe(1)
    return entries
  }

  test('while the archive is older than what it has confirmed', async () => {
    const before = await version()
    await connection.hset('{s0}:archive', 'committed', Number(before) + 1)
    const entries = await refused(ArchiveBehind)
    await connection.hset('{s0}:archive', 'committed', Number(before))
    await copy(entries)
  })

  test('while the archive is older than what was forgotten by it', async () => {
    await connection.hset('{s0}:archive', 'forgottenVersion', Number(await version()) + 1)
    const entries = await refused(ArchiveBehind)
    await connection.hdel('{s0}:archive', 'forgottenVersion')
    await copy(entries)
  })

  test('while Redis does not know the archive', async () => {
    const kept = await connection.hgetall('{s0}:archive')
    await connection.hdel('{s0}:archive', 'uuid')
    const entries = await refused(RedisWentBack)
    await connection.hset('{s0}:archive', kept)
    await copy(entries)
  })

  test('by an archiver that goes on after copying was switched off', async () => {
    const before = await version()
    await conclude()
    const entries = await read()
    await store.states.switchOff(0)
    await expect(copy(entries)).rejects.toThrow('run npm run archive -- migrate')
    expect(await version()).toBe(before)
    await store.states.switchOn(0, archiveId)
    await store.states.goOn(0)
    await copy(await read())
  })

  test('once the entry that the archive names is not in Redis', async () => {
    const { archivedTo = '' } = (await store.states.of(0)) ?? {}
    await connection.xdel('{s0}:outbox', archivedTo)
    await refused(RedisWentBack)
  })
})
