import { randomUUID } from 'node:crypto'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { Conclusion } from '../decide/conclusion.ts'
import { archiveKey, namesOf, type OrderId, orderIdOf, orderKey, outboxKey } from '../keys.ts'
import { Orders } from '../orders/orders.ts'
import type { Outcome } from '../outcome.ts'
import { ArchiveStates } from './archive-state.ts'
import { ConcludedRecords } from './concluded-records.ts'
import { Forgetting } from './forgetting.ts'
import { Outbox } from './outbox.ts'
import { SinkStreams } from './sink-streams.ts'

const { accept, worker, connection } = await openTestStore({ own: true })
const outbox = new Outbox(connection)
const states = new ArchiveStates(connection, 1)
const archiveId = randomUUID()
beforeEach(async () => {
  await connection.del(outboxKey(0), archiveKey(0))
  await states.switchOn(0, archiveId)
})
afterEach(() => void vi.restoreAllMocks())

/** Takes orders in and concludes them in one call. */
async function concluded(count = 1): Promise<OrderId[]> {
  const orders = Array.from({ length: count }, () => aPlaceOrder())
  for (const order of orders) await accept(order)
  const outcomes = orders.map((order) => ({
    orderId: orderIdOf(order),
    outcome: 'SUCCESS' as const,
  }))
  await worker.orders.concludeAll(0, outcomes)
  return outcomes.map(({ orderId }) => orderId)
}

/** The field of an entry with these orders of one acquirer. */
function fieldsOf(orderIds: OrderId[], outcome: string): string[] {
  const all = orderIds.map(namesOf)
  const words = all.flatMap(({ paymentId }) => [paymentId, outcome])
  return [`${all[0]?.acquirerId}:`, JSON.stringify(words)]
}

/**
 * A dump of a stream in which its last entry, with this id, was given to its consumer at this time
 * (ms). Behind the id of a pending entry is the time; a dump ends with its CRC-64.
 */
function deliveredAt(dump: Buffer, id: string, at: number): Buffer {
  const [ms = 0n, n = 0n] = id.split('-').map(BigInt)
  const raw = Buffer.alloc(16)
  raw.writeBigUInt64BE(ms)
  raw.writeBigUInt64BE(n, 8)
  const body = Buffer.from(dump.subarray(0, -8))
  body.writeBigInt64LE(BigInt(at), body.indexOf(raw) + raw.length)
  let crc = 0n
  for (const byte of body) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >> 1n) ^ (crc & 1n ? 0x95ac9329ac4bc9b5n : 0n)
  }
  const end = Buffer.alloc(8)
  end.writeBigUInt64LE(crc)
  return Buffer.concat([body, end])
}

describe('conclude', () => {
  test('appends orders of several acquirers, whatever is in their ids', async () => {
    const ids = ['A', 'B', 'A:{s0} %', 'B'].map((acquirerId, i) => ({
      acquirerId,
      paymentId: `:"${i}\\é`,
    }))
    const outcomes: Outcome[] = ['SUCCESS', 'RISK_REJECT "é']
    const orders = ids.map((names) => aPlaceOrder(names))
    for (const order of orders) await accept(order)
    const orderIds = orders.map(orderIdOf)
    await worker.orders.concludeAll(
      0,
      orderIds.map((orderId, i) => ({ orderId, outcome: outcomes[i % 2] ?? 'SUCCESS' })),
    )
    const [entry] = await outbox.from(0, '-', 10)
    expect(entry?.orderIds.toSorted()).toEqual(orderIds.toSorted())
    expect(entry?.backfilled).toBe(false)
  })

  test('appends one entry a call with each order that it concluded', async () => {
    const [first, second] = [await concluded(2), await concluded(1)]
    const entries = await outbox.from(0, '-', 10)
    expect(entries.map(({ orderIds }) => orderIds)).toEqual([first, second])
    expect(await connection.xrange(outboxKey(0), '-', '+')).toMatchObject([
      [expect.any(String), fieldsOf(first, '')],
      {},
    ])
  })

  test('appends nothing for an order that was concluded before', async () => {
    const [orderId = orderIdOf(aPlaceOrder())] = await concluded()
    await worker.orders.conclude(orderId, 'RISK_REJECT')
    expect(await outbox.from(0, '-', 10)).toHaveLength(1)
  })

  test('appends nothing while the outbox is off', async () => {
    await states.switchOff(0)
    const order = aPlaceOrder()
    await accept(order)
    await new Orders(connection, 1).conclude(orderIdOf(order), 'SUCCESS')
    expect(await connection.hexists(archiveKey(0), 'outbox')).toBe(0)
    expect(await connection.xlen(outboxKey(0))).toBe(0)
  })

  test('does not ask whether the outbox is on where it was a moment ago', async () => {
    vi.spyOn(worker.orders.outboxSwitch, 'isOn').mockReturnValue(true)
    await connection.hdel(archiveKey(0), 'outbox')
    await concluded()
    expect(await connection.xlen(outboxKey(0))).toBe(1)
  })

  test('makes no outbox anew that is gone', async () => {
    vi.spyOn(worker.orders.outboxSwitch, 'isOn').mockReturnValue(true)
    await connection.flushall()
    await concluded()
    expect(await connection.exists(outboxKey(0))).toBe(0)
  })

  test.each([
    ['one step', true],
    ['two steps', false],
  ])('appends what was decided in %s', async (_steps, oneNode) => {
    const order = aPlaceOrder()
    await accept(order)
    const orderId = orderIdOf(order)
    const [jobId = ''] = await worker.orders.jobsOf(0, [orderId])
    const conclusion = new Conclusion(connection, worker, oneNode)
    const claimedAt = (await worker.orders.claimedAt(orderId)) ?? 0
    const judged = { orderId, claimedAt, judged: 'RISK_REJECT' as const, limitUses: [] }
    await conclusion.conclude(
      { shard: 0, jobId },
      [{ ...judged, orderCode: undefined }],
      await worker.usage.now(),
    )
    expect(await connection.xrange(outboxKey(0), '-', '+')).toEqual([
      [expect.any(String), fieldsOf([orderId], 'RISK_REJECT')],
    ])
  })
})

describe('an entry', () => {
  test('goes to one archiver, and after its time to another', async () => {
    const orderIds = await concluded()
    const [entry] = await outbox.read(0, 'a', 10)
    expect(entry?.orderIds).toEqual(orderIds)
    expect(await outbox.read(0, 'b', 10)).toEqual([])
    expect(await outbox.takeOver(0, 'b', 60_000, 10)).toEqual([])
    expect(await outbox.takeOver(0, 'b', 0, 10)).toEqual([entry])
  })

  test('that was read while Redis’s clock was days ahead goes to another at once', async () => {
    for (let call = 0; call < 2; call += 1) await concluded()
    const entries = await outbox.read(0, 'a', 10)
    const entry = entries.at(-1)
    if (entry === undefined) throw new Error('it was read')
    const dump = (await connection.dumpBuffer(outboxKey(0))) ?? Buffer.alloc(0)
    const ahead = deliveredAt(dump, entry.id, Date.now() + 3 * 86_400_000)
    await connection.restore(outboxKey(0), 0, ahead, 'REPLACE')
    expect(await outbox.takeOver(0, 'b', 60_000, 10)).toEqual([entry])
    expect(await outbox.takeOver(0, 'c', 60_000, 10)).toEqual([])
    expect(await outbox.takeOver(0, 'c', 0, 10)).toEqual(entries)
  })

  test('is kept until it is acknowledged, and then trimmed but for the last', async () => {
    const calls = 2_000 // Of a stream's oldest entries, whole nodes are removed.
    const [orderId = orderIdOf(aPlaceOrder())] = await concluded()
    for (let i = 0; i < calls; i += 1) await outbox.backfill(0, [{ orderId, outcome: 'SUCCESS' }])
    const entries = await outbox.read(0, 'a', 2 * calls)
    const ids = entries.map(({ id }) => id)
    expect(await outbox.trim(0)).toBe(0)
    await outbox.acknowledge(0, ids.slice(calls / 2))
    expect(await outbox.trim(0)).toBe(0)
    await outbox.acknowledge(0, ids)
    const [archivedTo = ''] = ids.slice(calls / 2)
    await states.raise(0, { archiveId, version: 1, archivedTo })
    expect(await outbox.trim(0)).toBeGreaterThan(0)
    expect(await outbox.entryAt(0, archivedTo)).toEqual(entries[calls / 2])
    expect(await outbox.entryAt(0, ids[0] ?? '')).toBeUndefined()
  })

  test('is trimmed when all sinks have it, once copying is switched off', async () => {
    const streams = new SinkStreams(connection)
    await streams.open(0, 'sink')
    await new Forgetting(connection).switchOn(0)
    const [orderId = orderIdOf(aPlaceOrder())] = await concluded()
    for (let i = 0; i < 200; i += 1) await outbox.backfill(0, [{ orderId, outcome: 'SUCCESS' }])
    const [{ id: archivedTo = '' } = {}] = await outbox.read(0, 'a', 1)
    await states.raise(0, { archiveId, version: 1, archivedTo })
    await states.switchOff(0)
    await new Forgetting(connection).switchOn(0) // An archiver that was not ended yet.
    expect(await outbox.trim(0)).toBe(0)
    const { last } = await streams.extent(0)
    await streams.advance(0, 'sink', last)
    expect(await outbox.trim(0)).toBeGreaterThan(0)
    expect(await outbox.entryAt(0, archivedTo)).toBeUndefined()
    expect(await outbox.entryAt(0, last)).toBeDefined()
  })

  test('that is backfilled says so', async () => {
    const orderId = orderIdOf(aPlaceOrder())
    await outbox.backfill(0, [{ orderId, outcome: 'SUCCESS' }])
    expect(await outbox.from(0, '-', 1)).toMatchObject([{ orderIds: [orderId], backfilled: true }])
  })

  test('of another outcome has another digest', async () => {
    const orderId = orderIdOf(aPlaceOrder())
    for (const outcome of ['SUCCESS', 'RISK_REJECT'])
      await outbox.backfill(0, [{ orderId, outcome }])
    const [one, two] = await outbox.from(0, '-', 2)
    expect(one?.digest).not.toBe(two?.digest)
  })
})

/** A shard that is copied, and has nothing archived yet. */
const fresh = { archiveId, committed: 0, needed: 0, archivedTo: undefined, isOff: false }

test('what the archive has confirmed never goes down', async () => {
  expect(await states.of(0)).toEqual(fresh)
  await states.raise(0, { archiveId, version: 7, archivedTo: '9-10' })
  await states.raise(0, { archiveId, version: 6, archivedTo: '9-9' })
  expect(await states.of(0)).toMatchObject({ committed: 7, needed: 7, archivedTo: '9-10' })
  expect(await states.raise(0, { archiveId, version: 8, archivedTo: '10-0' })).toBe(0)
  expect(await states.of(0)).toMatchObject({ committed: 8, needed: 8, archivedTo: '10-0' })
})

test('the version of forgotten orders is needed, and is not that of a copy', async () => {
  await states.raise(0, { archiveId, version: 7, archivedTo: '9-10' })
  await connection.hset(archiveKey(0), 'forgottenVersion', 8)
  expect(await states.of(0)).toMatchObject({ committed: 7, needed: 8 })
})

test('what another archive has confirmed is not noted', async () => {
  const other = { archiveId: randomUUID(), version: 1, archivedTo: '1-1' }
  expect(await states.raise(0, other)).toBeUndefined()
  expect(await states.of(0)).toEqual(fresh)
})

test('progress names the oldest entry that is not archived', async () => {
  expect(await outbox.progress(0)).toMatchObject({ entries: 0, oldest: undefined })
  await concluded()
  await concluded()
  const [first, second] = await outbox.from(0, '-', 2)
  const oldest = ({ id = '' } = {}) => Number(id.split('-')[0])
  expect(await outbox.progress(0)).toMatchObject({ entries: 2, oldest: oldest(first) })
  await outbox.read(0, 'a', 1)
  expect(await outbox.progress(0)).toMatchObject({ entries: 2, oldest: oldest(first) })
  await outbox.acknowledge(0, [first?.id ?? ''])
  expect(await outbox.progress(0)).toMatchObject({ entries: 2, oldest: oldest(second) })
})

describe('the record of a concluded order', () => {
  test('is read with all its data; a damaged one is an Error of its own', async () => {
    const order = aPlaceOrder()
    await accept(order)
    const orderId = orderIdOf(order)
    await worker.orders.conclude(orderId, 'SUCCESS')
    const damaged = (await concluded())[0] ?? orderId
    await connection.hset(orderKey(0, damaged), 'request', '9[]')
    const open = aPlaceOrder()
    await accept(open)
    const none = orderIdOf(aPlaceOrder())
    const wrong = orderIdOf(aPlaceOrder())
    await connection.set(orderKey(0, wrong), 'no hash')
    const asked = [orderId, damaged, orderIdOf(open), none, wrong]
    const [read, ...errors] = await new ConcludedRecords(connection).read(0, asked)
    expect(read).toMatchObject({ orderId, order, outcome: 'SUCCESS', clientId: 'C-1' })
    expect(errors.map((error) => error instanceof Error)).toEqual([true, true, true, true])
  })
})
