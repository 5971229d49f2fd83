import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aPlaceOrder, FaultProxy } from '@placeorder/testkit'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  findRedisServer,
  type LocalRedis,
  startLocalRedis,
} from '../../local-services/src/redis.ts'
import { type OrderId, orderIdOf } from '../src/keys.ts'
import { type IngressStore, openIngressStore } from '../src/open-ingress-store.ts'
import { openWorkerStore } from '../src/open-store.ts'
import { GroupWorker } from '../src/queue/group-worker.ts'
import { connect, type RedisAddress, type RedisConnection } from '../src/redis/connection.ts'

// A host name or a load balancer in front of two servers: when they swap roles, open connections
// stay with the demoted one.

const at = (port: number): RedisAddress => ({
  urls: [`redis://127.0.0.1:${port}`],
  cluster: false,
  sentinels: [],
  sentinelName: '',
})

const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

let servers: [LocalRedis, LocalRedis]
let front: FaultProxy
let store: IngressStore
beforeAll(async () => {
  servers = [await server(), await server()]
  await follow(servers[1], servers[0])
  front = await FaultProxy.open({ port: servers[0].port })
  closing.push(() => front.close())
  const options = { address: at(front.port), shards: 1, onFault: () => {} }
  store = await openIngressStore({ ...options, waitMs: 100 })
  closing.push(store.close)
  const worker = await openWorkerStore(options)
  closing.push(worker.close)
  const decide = async ({ orderIds }: { orderIds: OrderId[] }) => {
    for (const orderId of orderIds) await worker.orders.conclude(orderId, 'SUCCESS')
  }
  const taker = new GroupWorker(at(front.port), decide, {
    shards: 1,
    concurrency: 2,
    onError: () => {},
  })
  closing.push(() => taker.close(1_000))
})

async function server(): Promise<LocalRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-demotion-'))
  closing.push(() => rm(dir, { recursive: true, force: true }))
  const args = ['--repl-diskless-sync-delay', '0']
  const started = await startLocalRedis(await findRedisServer(), { dir, args })
  closing.push(() => started.stop())
  return started
}

/** Runs commands on a server, not through the front. */
async function ask<T>({ port }: LocalRedis, body: (connection: RedisConnection) => Promise<T>) {
  const connection = connect(at(port), 'patient')
  return body(connection).finally(() => connection.disconnect())
}

const follow = (replica: LocalRedis, { port }: LocalRedis) =>
  ask(replica, async (connection) => {
    await connection.call('REPLICAOF', '127.0.0.1', port)
    await vi.waitFor(
      async () => expect(await connection.info('replication')).toMatch(/master_link_status:up/),
      { timeout: 20_000, interval: 20 },
    )
  })

/**
 * How many clients are connected to a server and have sent it a command, without its replica and
 * our own connection. A client that stopped connecting, because this process did not run for a
 * second, has sent none.
 */
const clientsOf = (of: LocalRedis) =>
  ask(of, async (connection) => {
    const list = String(await connection.call('CLIENT', 'LIST', 'TYPE', 'NORMAL'))
    const subscribed = String(await connection.call('CLIENT', 'LIST', 'TYPE', 'PUBSUB'))
    return (
      `${list}${subscribed}`
        .split('\n')
        .filter((line) => line !== '' && !line.includes(' cmd=NULL ')).length - 1
    )
  })

/** Places orders until the outcome of one is announced. */
const placed = () =>
  expect
    .poll(
      async () => {
        const order = aPlaceOrder()
        const signal = AbortSignal.timeout(500)
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

/**
 * Makes the other server master, and points the front to it; open connections stay where they are.
 */
async function swap(old: LocalRedis, next: LocalRedis): Promise<void> {
  await ask(next, (connection) => connection.call('REPLICAOF', 'NO', 'ONE'))
  await follow(old, next)
  front.leadTo({ port: next.port })
}

/** Waits until all clients of `old` are connected to `next` instead. */
async function moved(old: LocalRedis, next: LocalRedis, clients: number): Promise<void> {
  await expect.poll(() => clientsOf(old), { timeout: 10_000 }).toBe(0)
  await expect.poll(() => clientsOf(next), { timeout: 10_000 }).toBe(clients)
}

test('when servers behind one address swap roles, connections go to the new master', async () => {
  const [one, other] = servers
  await placed()
  const clients = await clientsOf(one)
  expect(clients).toBeGreaterThan(4)
  await swap(one, other)
  await placed()
  await moved(one, other, clients)
  await swap(other, one)
  await moved(other, one, clients) // Without an order meanwhile.
  await placed()
}, 60_000)
