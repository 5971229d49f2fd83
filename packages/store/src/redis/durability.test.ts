import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  findRedisServer,
  type LocalRedis,
  startLocalRedis,
} from '../../../local-services/src/redis.ts'
import { type OrderId, orderIdOf, orderKey, outboxKey, shardOf } from '../keys.ts'
import { type IngressStore, openIngressStore } from '../open-ingress-store.ts'
import { openWorkerStore, type WorkerStore } from '../open-store.ts'
import { Outbox } from '../outbox/outbox.ts'
import { connect, disconnect, type RedisAddress, type RedisConnection } from './connection.ts'
import { Durability } from './durability.ts'

const addressOf = (url: string): RedisAddress => ({
  urls: [url],
  cluster: false,
  sentinels: [],
  sentinelName: '',
})

const closing: (() => Promise<unknown>)[] = []
const closeAll = async () => {
  for (const close of closing.splice(0).reverse()) await close()
}

/** A server with these settings besides the durable ones. */
async function serverWith(...args: string[]): Promise<LocalRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-'))
  closing.push(() => rm(dir, { recursive: true }))
  const server = await startLocalRedis(await findRedisServer(), { dir, args })
  closing.push(() => server.stop())
  return server
}

function connected(url: string): RedisConnection {
  const connection = connect(addressOf(url), 'patient')
  closing.push(() => disconnect(connection))
  return connection
}

const reportOn = (connection: RedisConnection) =>
  new Durability(connection, { shards: 1, replicasMin: 0 }).report()

describe('what is known of a server', () => {
  afterEach(closeAll)

  test.each([
    ['no append-only file', ['--appendonly', 'no'], 'set appendonly yes'],
    [
      'one that is synced each second',
      ['--appendfsync', 'everysec'],
      'set appendfsync always, not everysec',
    ],
    ['one that is never synced', ['--appendfsync', 'no'], 'set appendfsync always, not no'],
    [
      'eviction',
      ['--maxmemory-policy', 'allkeys-lru'],
      'set maxmemory-policy noeviction, not allkeys-lru',
    ],
  ])('%s is a fault, reported with its fix', async (_name, settings, fix) => {
    const { url } = await serverWith(...settings)
    const { faults, assumed } = await reportOn(connected(url))
    expect(faults).toEqual(expect.arrayContaining([expect.stringContaining(fix)]))
    expect(assumed).toEqual([])
  })

  test('where a managed Redis has no CONFIG, the assumed settings are reported', async () => {
    const { url } = await serverWith('--rename-command', 'CONFIG', '')
    expect(await reportOn(connected(url))).toMatchObject({
      faults: [],
      assumed: ['appendfsync is always'],
    })
  })

  test('where CONFIG is not allowed, faults that INFO shows are still found', async () => {
    const { url, port } = await serverWith('--maxmemory-policy', 'allkeys-lru')
    const rules = ['on', '>secret', '~*', '&*', '+@all', '-config']
    await connected(url).call('ACL', 'SETUSER', 'app', ...rules)
    expect(await reportOn(connected(`redis://app:secret@127.0.0.1:${port}`))).toMatchObject({
      faults: [expect.stringContaining('set maxmemory-policy noeviction')],
      assumed: ['appendfsync is always'],
    })
  })
})

describe('whether a server can take new orders', () => {
  afterEach(closeAll)

  test('for a user without INFO the report names the ACL rule to add', async () => {
    const { url, port } = await serverWith()
    const rules = ['on', '>secret', '~*', '&*', '+@all', '-@dangerous']
    await connected(url).call('ACL', 'SETUSER', 'app', ...rules)
    expect(await reportOn(connected(`redis://app:secret@127.0.0.1:${port}`))).toMatchObject({
      faults: [],
      unseen: [expect.stringContaining('+info')],
      unable: [],
    })
  })

  test.each([
    ['no maxmemory', () => 0, 5, []],
    ['much left', (used: number) => used * 2, 5, []],
    ['less left than is kept', (used: number) => used * 1.2, 30, [/less than 30 %.*maxmemory/]],
    ['less left, but nothing is kept', (used: number) => used * 1.2, 0, []],
    ['none left', (used: number) => used * 0.9, 0, [/is full: nothing of maxmemory/]],
  ])('with %s, it is full or not', async (_name, max, memoryReservePercent, unable) => {
    const { url } = await serverWith()
    const connection = connected(url)
    const used = Number(/used_memory:(\d+)/.exec(await connection.info('memory'))?.[1])
    await connection.config('SET', 'maxmemory', Math.round(max(used)))
    const durability = new Durability(connection, {
      shards: 1,
      replicasMin: 0,
      memoryReservePercent,
    })
    const report = await durability.report()
    expect(report.unable).toEqual(unable.map((text) => expect.stringMatching(text)))
    expect(report.memoryUsed === undefined).toBe(max(used) === 0)
  })
})

describe('with a master and a replica, and one replica wanted', () => {
  let master: LocalRedis
  let replica: LocalRedis
  let ingress: IngressStore
  let worker: WorkerStore

  beforeAll(async () => {
    master = await serverWith('--repl-diskless-sync-delay', '0')
    replica = await serverWith('--replicaof', '127.0.0.1', String(master.port))
    const options = { address: addressOf(master.url), shards: 8, onFault: () => {} }
    ingress = await openIngressStore({ ...options, replicasMin: 1, waitMs: 100 })
    worker = await openWorkerStore(options)
    closing.push(() => worker.close())
    closing.push(() => ingress.close())
    const looking = connected(master.url)
    const isOnline = async () => expect(await looking.info('replication')).toMatch(/state=online/)
    await vi.waitFor(isOnline, { timeout: 30_000 })
  })
  afterAll(closeAll)

  const taken = async () => {
    const order = aPlaceOrder()
    await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(5_000))
    return orderIdOf(order)
  }

  test.each([
    [0, [/^1 replica is attached, REPLICAS_MIN is 0: a failover may lose .*set REPLICAS_MIN=1$/]],
    [1, []],
    [2, [/^1 replica is attached, REPLICAS_MIN is 2: no answer can be final$/]],
  ])('REPLICAS_MIN=%i is compared with the replicas there are', async (replicasMin, warnings) => {
    const durability = new Durability(connected(master.url), { shards: 1, replicasMin })
    const expected = warnings.map((text) => expect.stringMatching(text))
    expect((await durability.report()).warnings).toEqual(expected)
  })

  test('the replica itself takes no orders', async () => {
    const connection = connect(addressOf(replica.url), 'patient')
    closing.push(() => disconnect(connection))
    connection.on('error', () => {}) // Its connections are opened anew again and again.
    const report = await new Durability(connection, { shards: 1, replicasMin: 0 }).report()
    expect(report.unable).toEqual([expect.stringContaining('replica, not the master')])
  })

  test('an order counts as replicated with the outcome it has, and with no other', async () => {
    const orderId = await taken()
    // A replica on a busy disk may take longer than one fence waits; asked again, it has caught up.
    const comes = (outcome?: 'SUCCESS') =>
      expect
        .poll(() => ingress.durability.replicated(orderId, outcome), { timeout: 10_000 })
        .toBe(true)
    await comes()
    expect(await ingress.durability.replicated(orderId, 'SUCCESS')).toBe(false)
    await worker.orders.conclude(orderId, 'SUCCESS')
    await comes('SUCCESS')
    expect(await ingress.durability.replicated(orderId, 'RISK_REJECT')).toBe(false)
    // As of a claim that was lost with its master, before the order was claimed again.
    expect(await ingress.durability.replicated(orderId, 'SUCCESS', 'another id')).toBe(false)
    expect(
      await connected(replica.url).hget(orderKey(shardOf(orderId, 8), orderId), 'outcome'),
    ).toBe('SUCCESS')
  })

  test('an order that this master does not have is not replicated', async () => {
    expect(await ingress.durability.replicated(orderIdOf(aPlaceOrder()))).toBe(false)
  })

  test('an entry of an outbox counts as replicated as it is, and no other does', async () => {
    const connection = connected(master.url)
    const outbox = new Outbox(connection)
    const id = (await connection.xadd(outboxKey(0), '*', 'restored', '1')) ?? ''
    const entry = await outbox.entryAt(0, id)
    if (entry === undefined) throw new Error('it was appended')
    const isReplicated = (digest = entry.digest) =>
      outbox.replicated(0, { ...entry, digest }, ingress.durability)
    await expect.poll(() => isReplicated(), { timeout: 10_000 }).toBe(true)
    expect(await isReplicated('another')).toBe(false)
    await connection.xdel(outboxKey(0), id)
    expect(await isReplicated()).toBe(false)
  })

  test('a missing order is certain only while the replica answers', async () => {
    const absent = (orderId: OrderId) => ingress.durability.absent(orderId)
    const [orderId, another] = [await taken(), orderIdOf(aPlaceOrder())]
    await expect.poll(() => absent(another), { timeout: 10_000 }).toBe(true)
    expect(await absent(orderId)).toBe(false)
    replica.process.kill('SIGSTOP')
    expect(await absent(another)).toBe(false)
    replica.process.kill('SIGCONT')
    await expect.poll(() => absent(another), { timeout: 10_000 }).toBe(true)
  })

  test('with the replica gone, the orders of all shards share one failing fence', {
    retry: 2, // Other work on the machine only adds to the time.
  }, async () => {
    const orderIds = await Promise.all(Array.from({ length: 40 }, taken))
    replica.process.kill('SIGSTOP')
    const askedAt = performance.now()
    const all = await Promise.all(orderIds.map((orderId) => ingress.durability.replicated(orderId)))
    const tookMs = performance.now() - askedAt
    replica.process.kill('SIGCONT')
    expect(all).toEqual(orderIds.map(() => false))
    expect(tookMs).toBeLessThan(900) // One fence waits for 500 ms; eight in turn would for 4 s.
  })

  test('many requests at once share few fences', async () => {
    const orderIds = await Promise.all(Array.from({ length: 200 }, taken))
    const looking = connected(master.url)
    const calls = async () =>
      Number(/cmdstat_wait(?:aof)?:calls=(\d+)/.exec(await looking.info('commandstats'))?.[1])
    const before = await calls()
    const all = await Promise.all(orderIds.map((orderId) => ingress.durability.replicated(orderId)))
    expect(all.every((replicated) => replicated)).toBe(true)
    expect((await calls()) - before).toBeLessThanOrEqual(3)
  })

  test('with the replica gone, orders are accepted at once but are not replicated', async () => {
    const orderId = await taken()
    replica.process.kill('SIGSTOP')
    const replicated = ingress.durability.replicated(orderId)
    await Promise.all(Array.from({ length: 20 }, taken)) // They do not wait behind the fence.
    expect(await replicated).toBe(false)
    replica.process.kill('SIGCONT')
    await expect.poll(() => ingress.durability.replicated(orderId), { timeout: 10_000 }).toBe(true)
  })
})
