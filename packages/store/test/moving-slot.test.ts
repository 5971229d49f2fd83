import { setTimeout as wait } from 'node:timers/promises'
import { aPlaceOrder, migrateSlot, startCluster } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { orderIdOf } from '../src/keys.ts'
import { openIngressStore } from '../src/open-ingress-store.ts'
import { openWorkerStore } from '../src/open-store.ts'

const cluster = await startCluster()
const address = { urls: cluster.urls, cluster: true, sentinels: [], sentinelName: '' }
const options = { address, shards: 1, onFault: () => {} }
const ingress = await openIngressStore({ ...options, waitMs: 100 })
const worker = await openWorkerStore(options)
afterAll(async () => {
  await ingress.close()
  await worker.close()
  await cluster.close()
})

const accept = (order = aPlaceOrder()) =>
  ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(10_000))

/** Moves the shard from master to master; half moved, it stays so for a while (ms). */
async function move(heldMs: number, halfMoved: () => void = () => {}): Promise<void> {
  for (const to of cluster.ports) {
    let held = false
    const between = async () => {
      if (held) return
      held = true
      halfMoved()
      await wait(heldMs)
    }
    await migrateSlot({ ports: cluster.ports, key: '{s0}', to, between })
  }
}

test('an order that comes while its shard is half moved is claimed once it has moved', async () => {
  for (let order = 0; order < 30; order += 1) await accept()
  const started = Promise.withResolvers<void>()
  const moving = move(1_000, started.resolve)
  await started.promise
  expect(await accept()).toMatchObject({ kind: 'OPEN' })
  await moving
}, 60_000)

test('outcomes of a moved shard are received', async () => {
  await move(0)
  const receives = async () => {
    const order = aPlaceOrder()
    const orderId = orderIdOf(order)
    return ingress.orders.during(orderId, AbortSignal.timeout(5_000), async (announced) => {
      await accept(order)
      await worker.orders.conclude(orderId, 'SUCCESS')
      return announced.catch(() => 'nothing')
    })
  }
  await expect.poll(receives, { timeout: 50_000 }).toBe('SUCCESS')
}, 60_000)
