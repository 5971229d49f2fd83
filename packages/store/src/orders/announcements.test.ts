import { aPlaceOrder, startCluster } from '@placeorder/testkit'
import { Redis } from 'ioredis'
import { afterAll, expect, test } from 'vitest'
import { orderIdOf } from '../keys.ts'
import { connect, disconnect } from '../redis/connection.ts'
import { Announcements } from './announcements.ts'

const cluster = await startCluster()
afterAll(() => cluster.close())

test('on a Cluster, too, those who wait look at the record once a connection that was lost is there again', async () => {
  const address = { urls: cluster.urls, cluster: true, sentinels: [], sentinelName: '' }
  const connection = connect(address, 'patient')
  connection.on('error', () => {})
  const heard = { message: () => {}, order: () => {}, unreadable: () => {} }
  const announcements = new Announcements(connection, ['{s0}:ingress:here'], heard)
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
