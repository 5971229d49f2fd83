import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { aPlaceOrder, startCluster } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { findRedisServer, freePort, startLocalRedis } from '../../local-services/src/redis.ts'
import { type OrderId, orderIdOf } from '../src/keys.ts'
import { openIngressStore } from '../src/open-ingress-store.ts'
import { openWorkerStore } from '../src/open-store.ts'
import { GroupWorker } from '../src/queue/group-worker.ts'
import { connect, type RedisAddress } from '../src/redis/connection.ts'

/** Workers then give up what they block on, and connect anew (ms). */
const DOWN_MS = 4_000

const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const alone = (port: number): RedisAddress => ({
  urls: [`redis://127.0.0.1:${port}`],
  cluster: false,
  sentinels: [],
  sentinelName: '',
})

/** Sends one command to one node. */
async function ask(port: number, name: string, ...args: (string | number)[]): Promise<string> {
  const connection = connect(alone(port), 'patient')
  return connection
    .call(name, ...args)
    .then(String)
    .finally(() => connection.disconnect())
}

/** Starts a replica of the master on `master`; resolves with its port once it is in step. */
async function startReplica(master: number): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-replica-'))
  closing.push(() => rm(dir, { recursive: true, force: true }))
  const bus = ['--cluster-port', String(await freePort()), '--cluster-node-timeout', '2000']
  const args = ['--cluster-enabled', 'yes', ...bus, '--repl-diskless-sync-delay', '0']
  const replica = await startLocalRedis(await findRedisServer(), { dir, args })
  closing.push(() => replica.stop())
  const [, masterBus = ''] = /:\d+@(\d+)/.exec(await ask(master, 'CLUSTER', 'NODES')) ?? []
  await ask(replica.port, 'CLUSTER', 'MEET', '127.0.0.1', master, masterBus)
  const id = await ask(master, 'CLUSTER', 'MYID')
  const inTime = { timeout: 20_000, interval: 50 }
  await expect.poll(() => ask(replica.port, 'CLUSTER', 'NODES'), inTime).toContain(id)
  await expect
    .poll(() => ask(replica.port, 'CLUSTER', 'REPLICATE', id).catch(String), inTime)
    .toBe('OK')
  await expect
    .poll(() => ask(replica.port, 'INFO', 'replication'), inTime)
    .toContain('master_link_status:up')
  return replica.port
}

/** Starts who claims and who decides. Resolves with what waits until an order is decided. */
async function startOn(address: RedisAddress): Promise<() => Promise<void>> {
  const options = { address, shards: 1, onFault: () => {} }
  const store = await openIngressStore({ ...options, waitMs: 100 })
  closing.push(store.close)
  const worker = await openWorkerStore(options)
  closing.push(worker.close)
  const decide = async ({ orderIds }: { orderIds: OrderId[] }) => {
    for (const orderId of orderIds) await worker.orders.conclude(orderId, 'SUCCESS')
  }
  const taking = { shards: 1, concurrency: 2, onError: () => {} }
  const taker = new GroupWorker(address, decide, taking)
  closing.push(() => taker.close(1_000))

  return () =>
    expect
      .poll(
        () => {
          const order = aPlaceOrder()
          const signal = AbortSignal.timeout(1_000)
          return store.orders
            .during(orderIdOf(order), signal, async (announced) => {
              await store.intake.accept({ order, clientId: 'C-1' }, signal)
              return announced
            })
            .catch(() => 'not served')
        },
        { timeout: 20_000 },
      )
      .toBe('SUCCESS')
}

test('when a master of a Cluster becomes a replica, orders go on at the new master', async () => {
  const cluster = await startCluster({ masters: 1 })
  closing.push(() => cluster.close())
  const [old = 0] = cluster.ports
  const next = await startReplica(old)
  const placed = await startOn({ ...alone(old), cluster: true })
  await placed()
  await ask(next, 'CLUSTER', 'FAILOVER')
  await expect
    .poll(() => ask(old, 'INFO', 'replication'), { timeout: 20_000 })
    .toContain('role:slave')
  await placed()
}, 90_000)

test('once a Cluster that was down is up again, workers take orders', async () => {
  const cluster = await startCluster()
  closing.push(() => cluster.close())
  const [down, other] = [0, 1]
  const placed = await startOn({ ...alone(0), urls: cluster.urls, cluster: true })
  await placed()
  await cluster.kill(down)
  await expect
    .poll(() => ask(cluster.ports[other] ?? 0, 'CLUSTER', 'INFO'), { timeout: 20_000 })
    .toContain('cluster_state:fail')
  await wait(DOWN_MS)
  await cluster.restart(down)
  await placed()
}, 90_000)
