import { testRedis } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { openReshardStore } from '../open-reshard-store.ts'
import { openArchiverStore, openWorkerStore } from '../open-store.ts'

const redis = await testRedis({ own: true })
afterAll(() => redis.close())
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const options = { address, shards: 1, onFault: () => {} }

test('the processes that are connected are named, each once, and ours is not', async () => {
  const store = await openReshardStore(options)
  expect(await store.connected()).toEqual([])
  const worker = await openWorkerStore({ ...options, replicasMin: 1 })
  const archiver = await openArchiverStore(options)
  const named = await store.connected()
  expect(named.map((name) => name.split(' ')[0])).toEqual(['archiver', 'worker'])
  expect(named[1]).toMatch(new RegExp(`^worker ${process.pid} on \\S+$`))
  await Promise.all([worker.close(), archiver.close()])
  expect(await store.connected()).toEqual([])
  await store.close()
})
