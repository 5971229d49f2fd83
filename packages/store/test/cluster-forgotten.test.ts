import { termsOf } from '@placeorder/protocol'
import { aPlaceOrder, startCluster } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { orderIdOf } from '../src/keys.ts'
import { openIngressStore } from '../src/open-ingress-store.ts'
import { connect, disconnect } from '../src/redis/connection.ts'
import { addFilter, forget } from './forget.ts'

const SHARDS = 4

const cluster = await startCluster()
const address = { urls: cluster.urls, cluster: true, sentinels: [], sentinelName: '' }
const connection = connect(address, 'patient')
afterAll(async () => {
  await disconnect(connection)
  await cluster.close()
})

test('on a Cluster, a forgotten order is found in the archive, and a new one claimed', async () => {
  const order = aPlaceOrder()
  const store = await openIngressStore({
    address,
    shards: SHARDS,
    onFault: () => {},
    waitMs: 100,
    recall: async ({ orderIds }) =>
      orderIds.map(() => ({
        kind: 'FOUND',
        order: {
          paymentRequestId: 'R-1',
          terms: termsOf(order),
          outcome: 'SUCCESS',
          pspId: order.pspId,
          claimedAt: 1,
          concludedAt: 2,
        },
      })),
  })
  for (let shard = 0; shard < SHARDS; shard += 1) await addFilter(connection, { shard })
  await forget(connection, [orderIdOf(order)], { shards: SHARDS })
  const accept = (one: typeof order) =>
    store.intake.accept({ order: one, clientId: 'C-1' }, AbortSignal.timeout(5_000))
  expect(await accept(order)).toMatchObject({ kind: 'CONCLUDED', archived: true })
  expect(await store.finder.find(orderIdOf(order))).toMatchObject({ archived: true })
  for (let n = 0; n < 2 * SHARDS; n += 1)
    expect(await accept(aPlaceOrder())).toMatchObject({ kind: 'OPEN' })
  await store.close()
}, 60_000)
