import type { CodeRecord, MerchantRecord } from '@placeorder/decision'
import { expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { digestOf } from '../keys.ts'
import { openDirectory, openWorkerStore } from '../open-store.ts'
import { ShardsFault } from '../redis/shards.ts'

const { worker, connection, address } = await openTestStore()
const { directory } = worker
const merchant = (merchantId: string): MerchantRecord => ({
  merchantId,
  status: 'ACTIVE',
  kybLevel: 1,
  contracts: [],
})
const code = (codeValue: string): CodeRecord => ({
  codeValue,
  type: 'ENTRY_CODE',
  merchantId: 'M',
  status: 'OPEN',
})

test('what was put is found, by exact value and in any number', async () => {
  const ids = Array.from({ length: 300 }, () => crypto.randomUUID().slice(0, 30))
  await directory.put(ids.map(merchant), ids.map(code))
  const found = await directory.find(
    [...ids, 'unknown', ...ids],
    [...ids, ids[0]?.toUpperCase() ?? ''].map(digestOf),
  )
  expect(found.merchants.size).toBe(300)
  expect(found.codes.size).toBe(300)
  expect(await directory.merchant(ids[7] ?? '')).toEqual(merchant(ids[7] ?? ''))
})

test('a change is seen at once', async () => {
  const id = crypto.randomUUID().slice(0, 30)
  await directory.put([merchant(id)], [])
  expect(await directory.merchant(id)).toMatchObject({ status: 'ACTIVE' })
  await directory.put([{ ...merchant(id), status: 'SUSPENDED' }], [])
  expect(await directory.merchant(id)).toMatchObject({ status: 'SUSPENDED' })
  expect(await directory.removeMerchant(id)).toBe(true)
  expect(await directory.merchant(id)).toBeUndefined()
  expect(await directory.removeMerchant(id)).toBe(false)
})

test('an unreadable record is an Error in its place and does not fail the others', async () => {
  const [good, bad] = [crypto.randomUUID().slice(0, 30), crypto.randomUUID().slice(0, 30)]
  await directory.put([merchant(good)], [])
  await connection.set(`{s0}:merchant:${bad}`, '{"status":')
  const found = await directory.find([good, bad], [])
  expect(found.merchants.get(bad)).toBeInstanceOf(Error)
  expect(found.merchants.get(good)).toEqual(merchant(good))
})

test('a process configured with another number of shards refuses to start', async () => {
  await expect(openWorkerStore({ address, shards: 2, onFault: () => {} })).rejects.toThrow(
    ShardsFault,
  )
  await expect(openDirectory(address, 2)).rejects.toThrow('set SHARDS=1')
})
