import { aPlaceOrder, startCluster } from '@placeorder/testkit'
import { Redis } from 'ioredis'
import { afterAll, expect, test } from 'vitest'
import { orderIdOf } from '../keys.ts'
import { connect, disconnect } from '../redis/connection.ts'
import { Announcements } from './announcements.ts'

const cluster = await startCluster()
afterAll(() => cluster.close())

test('after a lost connection to a Cluster, those who wait read the record', async () => {
  const address = { urls: cluster.urls, cluster: true, sentinels: [], sentinelName: '' }
  const connection = connect(address, 'patient')
  connection.on('error', () => {})
  const handlers = { message: () => {}, order: () => {}, unreadable: () => {} }
  const announcements = new Announcements(connection, ['{s0}:ingress:here'], handlers)
  const gaps: string[][] = []
  await announcements.open((orderIds) => gaps.push(orderIds))
  const orderId = orderIdOf(aPlaceOrder())
  announcements.listen(orderId, () => {})
  for (const url of cluster.urls) {
    const node = new Redis(url)
    await node.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    node.disconnect()
  }
  await expect.poll(() => gaps, { timeout: 10_000 }).toContainEqual([orderId])
  await disconnect(connection)
})
