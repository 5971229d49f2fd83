import { randomUUID } from 'node:crypto'
import { testRedis } from '@placeorder/testkit'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { archiveKey, forgottenKey, type OrderId, orderIdOf } from '../keys.ts'
import { connect, disconnect } from '../redis/connection.ts'
import {
  BITS,
  bitsOf,
  capacityOf,
  FilterFault,
  Filters,
  lastBitOf,
  nextBytes,
  readFilters,
} from './filters.ts'

const redis = await testRedis({ own: true })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const connection = connect(address, 'patient')
afterAll(async () => {
  await disconnect(connection)
  await redis.close()
})
const anOrder = (): OrderId => orderIdOf({ acquirerId: 'A-1', paymentId: randomUUID() })

describe('the bits of an order', () => {
  test('are in one block of 64 bytes, within the filter', () => {
    for (const bytes of [64, 6_400, 17_640_000, 2 ** 29])
      for (let n = 0; n < 200; n += 1) {
        const bits = bitsOf(anOrder(), bytes)
        expect(bits).toHaveLength(BITS)
        expect(new Set(bits.map((bit) => Math.floor(bit / 512))).size).toBe(1)
        expect(Math.max(...bits)).toBeLessThan(bytes * 8)
      }
  })

  test('are the same in every process and version', () => {
    const orderId = orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })
    expect(bitsOf(orderId, 17_640_000)).toEqual([
      118106786, 118106889, 118106764, 118106720, 118107024, 118107110, 118107099, 118107045,
    ])
  })

  test('differ by acquirer', () => {
    const [one, other] = ['A-1', 'A-2'].map((acquirerId) =>
      bitsOf(orderIdOf({ acquirerId, paymentId: 'P-1' }), 17_640_000),
    )
    expect(one).not.toEqual(other)
  })

  test('in a full filter, one order of 1,500 that it was not given seems to be in it', () => {
    const bytes = 64_000
    const set = new Uint8Array(bytes * 8)
    for (let n = 0; n < capacityOf(bytes); n += 1)
      for (const bit of bitsOf(anOrder(), bytes)) set[bit] = 1
    const asked = 100_000
    let maybe = 0
    for (let n = 0; n < asked; n += 1)
      maybe += Number(bitsOf(anOrder(), bytes).every((bit) => set[bit]))
    expect(maybe / asked).toBeGreaterThan(0.0003)
    expect(maybe / asked).toBeLessThan(0.001)
  })
})

test('a filter is four times as long as the one before it, up to the longest string', () => {
  const sizes: number[] = []
  for (let n = 1; n <= 5; n += 1)
    sizes.push(nextBytes(sizes.map((bytes, i) => ({ n: i + 1, bytes, count: 0 }))))
  expect(sizes).toEqual([17_640_000, 70_560_000, 282_240_000, 2 ** 29, 2 ** 29])
  expect(sizes.map(capacityOf)).toEqual([
    8_400_000, 33_600_000, 134_400_000, 255_652_815, 255_652_815,
  ])
  expect(sizes.every((bytes) => bytes % 64 === 0)).toBe(true)
})

test('a list of filters that cannot be read is a fault', () => {
  expect(readFilters('')).toEqual([])
  expect(readFilters('1:64:7 2:256:0')).toEqual([
    { n: 1, bytes: 64, count: 7 },
    { n: 2, bytes: 256, count: 0 },
  ])
  expect(() => readFilters('1:64')).toThrow(FilterFault)
})

describe('the filters of a shard', () => {
  let filters: Filters
  beforeEach(() => {
    filters = new Filters(connection)
  })
  afterEach(() => connection.flushall())
  const make = (n: number, bytes: number) =>
    connection.setbit(forgottenKey(0, n), lastBitOf(bytes), 1)
  const list = (generation: number, text: string) =>
    connection.hset(archiveKey(0), 'generation', generation, 'filters', text)

  test('are none where nothing was ever forgotten', async () => {
    expect(await filters.read(0)).toEqual({ generation: 0, filters: [] })
  })

  test('are known as they were last read', async () => {
    await make(1, 64)
    await list(1, '1:64:5')
    expect(filters.known(0)).toEqual({ generation: 0, filters: [] })
    const read = await filters.read(0)
    expect(read).toEqual({ generation: 1, filters: [{ n: 1, bytes: 64, count: 5 }] })
    expect(filters.known(0)).toEqual(read)
  })

  test.each([
    ['missing', async () => {}, '0 bytes'],
    ['shorter than listed', () => make(1, 64), '64 bytes'],
    ['longer than listed', () => make(1, 256), '256 bytes'],
  ])('are not used while one is %s', async (_, prepare, reason) => {
    await prepare()
    await list(1, '1:128:5')
    await expect(filters.read(0)).rejects.toThrow(reason)
    expect(filters.known(0)).toEqual({ generation: 0, filters: [] })
  })

  test('are not used if they are older than they were', async () => {
    await make(1, 64)
    await list(2, '1:64:5')
    await filters.read(0)
    await list(1, '')
    await expect(filters.read(0)).rejects.toThrow(FilterFault)
  })

  test('may change while they are read', async () => {
    await make(2, 64)
    await list(1, '1:64:5')
    const swapping = Object.assign(Object.create(connection), {
      strlen: async (key: string) => {
        if (key === forgottenKey(0, 1)) await list(2, '2:64:5')
        return connection.strlen(key)
      },
    })
    expect(await new Filters(swapping).read(0)).toEqual({
      generation: 2,
      filters: [{ n: 2, bytes: 64, count: 5 }],
    })
  })
})
