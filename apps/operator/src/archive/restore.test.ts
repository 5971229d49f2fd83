import { randomUUID } from 'node:crypto'
import { compareRedis, openArchive } from '@placeorder/archive'
import {
  connect,
  digestOf,
  disconnect,
  type IngressStore,
  type OrderId,
  openIngressStore,
  openOperatorStore,
  openReshardStore,
  openWorkerStore,
  orderIdOf,
} from '@placeorder/store'
import { aPlaceOrder, startProcess, testPostgres, testRedis } from '@placeorder/testkit'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ArchiveDeps, runArchive } from './command.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
const [redis, postgres] = await Promise.all([testRedis({ own: true }), testPostgres()])
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const options = { address, shards: 1, onFault: () => {} }
const worker = await openWorkerStore(options)
const store = await openOperatorStore(options)
const connection = connect(address, 'patient')
const archive = openArchive({ url: postgres.url })
afterAll(async () => {
  await Promise.all([worker.close(), store.close(), archive.close()])
  await disconnect(connection)
  await Promise.all([redis.close(), postgres.close()])
})

async function run(...args: string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const where = { url: postgres.url, requestsKeepMonths: 0 }
  const deps: ArchiveDeps = {
    read: () => where,
    openToReshard: async () => ({
      store: await openReshardStore({ address, onFault: () => {}, filterBytes: 6_400 }),
      archive: openArchive({ url: postgres.url }),
    }),
    open: async () => ({
      store: await openOperatorStore({ ...options, filterBytes: 6_400 }),
      archive: openArchive({ url: postgres.url }),
      ...where,
    }),
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
  }
  const exit = await runArchive(args, deps)
  return { exit, out: out.join(''), err: err.join('') }
}

/** Each test has its own: one that knew filters refuses a Redis that was emptied. */
let ingress: IngressStore
beforeEach(async () => {
  await connection.flushall()
  ingress = await openIngressStore({ ...options, waitMs: 100 })
})
afterEach(() => ingress.close())

async function claimed(given: Parameters<typeof aPlaceOrder>[0] = {}): Promise<OrderId> {
  const order = aPlaceOrder(given)
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
  return orderIdOf(order)
}
const conclude = (orderId: OrderId) => worker.orders.conclude(orderId, 'SUCCESS')

/** Runs an archiver, with these settings, until `done`. */
async function archiverUntil(done: () => Promise<void>, env = {}): Promise<void> {
  const archiver = startProcess({
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    env: { REDIS_URL: redis.url, ARCHIVE_URL: postgres.url, ADMIN_PORT: '0', ...env },
  })
  try {
    await vi.waitFor(done, { timeout: 60_000, interval: 100 })
  } finally {
    archiver.kill('SIGTERM')
    await archiver.exited
  }
}
const archiveAll = () =>
  archiverUntil(async () => expect((await run('status')).out).toContain('all archived'))

/** All that Redis holds now, to go back to. */
async function remember(): Promise<() => Promise<void>> {
  const keys = await connection.keys('*')
  const kept = await Promise.all(keys.map((key) => connection.dumpBuffer(key)))
  return async () => {
    await connection.flushall()
    for (const [i, key] of keys.entries()) {
      const value = kept[i]
      if (value != null) await connection.restore(key, 0, value)
    }
  }
}
const absent = { kind: 'ABSENT' } as const
const record = (orderId: OrderId) => store.orders.record(orderId)
const mayHave = async (orderId: OrderId) => (await store.forgetting.mayHave(0, [orderId]))[0]

beforeEach(async () => {
  await postgres.query('DROP SCHEMA public CASCADE')
  await postgres.query('CREATE SCHEMA public')
  await run('migrate')
})

describe('after restore, of a Redis from an older file,', () => {
  test('each archived order has its first outcome, and is open no more', async () => {
    const before = await claimed()
    await conclude(before)
    await archiveAll()
    const reopened = await claimed()
    const goBack = await remember()
    await conclude(reopened)
    const lost = await claimed()
    await conclude(lost)
    await archiveAll()
    const first = await record(reopened)
    await goBack()
    expect((await record(reopened))?.outcome).toBeUndefined()
    expect(await run('restore')).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/^1 open orders were concluded.*1 are in the archive alone/),
    })
    expect(await record(before)).toMatchObject({ outcome: 'SUCCESS' })
    expect(await record(reopened)).toEqual(first)
    expect(await connection.zcard('{s0}:open')).toBe(0)
    expect(await record(lost)).toBeUndefined()
    expect(await mayHave(lost)).toBe(true)
    expect((await run('verify')).exit).toBe(0)
  })

  test('an order that was claimed anew has the archived outcome', async () => {
    const goBack = await remember()
    const given = { paymentId: randomUUID() }
    await conclude(await claimed(given))
    await archiveAll()
    await goBack()
    const orderId = await claimed(given)
    await run('restore')
    expect(await record(orderId)).toBeUndefined()
    expect(await mayHave(orderId)).toBe(true)
    expect(await connection.zcard('{s0}:open')).toBe(0)
  })

  test('an order that was concluded otherwise meanwhile is named, and left', async () => {
    const orderId = await claimed()
    const goBack = await remember()
    await conclude(orderId)
    await archiveAll()
    await goBack()
    await worker.orders.conclude(orderId, 'RISK_REJECT')
    const { exit, out } = await run('restore')
    expect([exit, out]).toEqual([1, expect.stringMatching(/1 differ.*SUCCESS/s)])
    expect(await record(orderId)).toMatchObject({ outcome: 'RISK_REJECT' })
  })

  test('an order code that was used is held again', async () => {
    const codeValue = 'order-code'
    const code = { merchantId: 'M-1', status: 'OPEN' } as const
    const amount = { value: '1', currency: 'CNY' }
    await store.directory.put([], [{ ...code, codeValue, type: 'ORDER_CODE', amount }])
    await store.directory.put([], [{ ...code, codeValue: 'entry-code', type: 'ENTRY_CODE' }])
    const goBack = await remember()
    const orderId = await claimed({ codeValue })
    await conclude(orderId)
    await conclude(await claimed({ codeValue: 'entry-code' }))
    await archiveAll()
    await goBack()
    await run('restore')
    expect(await store.directory.holder(codeValue)).toBe(orderId)
    expect(await connection.exists(`{u}:code-holder:${digestOf('entry-code')}`)).toBe(0)
  })

  test('copying goes on, and what is restored twice is as restored once', async () => {
    const orderId = await claimed()
    const goBack = await remember()
    await conclude(orderId)
    await conclude(await claimed())
    await archiveAll()
    await goBack()
    await run('restore')
    const filters = await connection.hget('{s0}:archive', 'filters')
    await run('restore')
    expect(await connection.hget('{s0}:archive', 'filters')).toBe(filters)
    const next = await claimed()
    await conclude(next)
    await archiveAll()
    expect(await run('verify')).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/^2 orders are equal.*1 were forgotten, and 0/),
    })
  })
})

test('a Redis that is empty is restored from the archive', async () => {
  const orderIds = [await claimed(), await claimed()]
  for (const orderId of orderIds) await conclude(orderId)
  await archiveAll()
  await connection.flushall()
  expect((await run('restore')).out).toContain('2 are in the archive alone')
  for (const orderId of orderIds) expect(await mayHave(orderId)).toBe(true)
  await conclude(await claimed())
  await archiveAll()
  expect((await run('verify')).exit).toBe(0)
})

test('after a restore, an archive that is older than it was is not believed', async () => {
  const order = aPlaceOrder()
  await conclude(await claimed(order))
  await archiveAll()
  await connection.flushall()
  await run('restore')
  const [stands] = await archive.shards()
  const older = await openIngressStore({
    ...options,
    waitMs: 100,
    // A replica that lags by all: it has no order, and says so.
    recall: async ({ orderIds, version }) => {
      const reason = `it is at version 0, and ${version} is needed`
      return orderIds.map(() => (version > 0 ? { kind: 'NOT_BELIEVED', reason } : absent))
    },
  })
  const repeat = older.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
  await expect(repeat.finally(() => older.close())).rejects.toThrow('the archive is not believed')
  expect(await record(orderIdOf(order))).toBeUndefined()
  const { forgottenVersion, forgottenTo } = await store.forgetting.stateOf(0)
  expect(forgottenVersion).toBe((stands?.version ?? 0) - 1) // Redis and archive agreed after it.
  expect(forgottenTo).toBeUndefined()
})

test('an empty Redis beside several archives must say which is its own', async () => {
  const archiveId = await connection.hget('{s0}:archive', 'uuid')
  await archive.register(randomUUID(), 1)
  await connection.flushall()
  const { exit, err } = await run('restore')
  expect([exit, err]).toEqual([1, expect.stringContaining('--archive <id>')])
  expect(await run('restore', '--archive', `${archiveId}`)).toMatchObject({ exit: 0 })
  expect(await connection.hget('{s0}:archive', 'uuid')).toBe(archiveId)
})

test.each(['committed', 'forgottenVersion'])(
  'an archive that is behind (%s) restores nothing',
  async (version) => {
    const orderId = await claimed()
    await connection.hset('{s0}:archive', version, 1_000)
    await expect(run('restore')).rejects.toThrow('restore it to its latest state first')
    expect((await record(orderId))?.outcome).toBeUndefined()
  },
)

test('orders from before forgetting was on are forgotten after a backfill', async () => {
  const before = await claimed()
  await conclude(before)
  await archiveAll()
  await connection.xtrim('{s0}:outbox', 'MAXLEN', 0)
  const aMinuteAgo = Date.now() - 60_000
  await connection.hset(`{s0}:order:${before}`, 'concludedAt', aMinuteAgo)
  await postgres.query(`UPDATE orders SET concluded_at = to_timestamp(${aMinuteAgo} / 1000.0)`)
  await conclude(await claimed())
  await connection.hset('{s0}:archive', 'archivedTo', '0-1')
  await postgres.query('UPDATE archive_shards SET archived_to = NULL')
  const orders = () => connection.keys('{s0}:order:*')
  const env = { FORGET: 'true', TEST_KEEP_SECONDS: '0' }
  await archiverUntil(async () => expect(await orders()).toHaveLength(1), env)
  expect((await run('backfill')).out).toMatch(/^1 orders/)
  await archiverUntil(async () => expect(await orders()).toEqual([]), env)
  expect(await mayHave(before)).toBe(true)
})

describe('switched off beside a sink,', () => {
  const compared = () => compareRedis(archive, worker.redisAge, 0)

  /** Archives, switches off, and has all removed that the sink needs no more. */
  async function switchedOff(): Promise<void> {
    await store.streams.open(0, 'sink')
    await conclude(await claimed())
    await archiveAll()
    expect((await run('off')).exit).toBe(0)
    const orderId = await claimed()
    await conclude(orderId)
    for (let entry = 0; entry < 200; entry += 1)
      await store.outbox.backfill(0, [{ orderId, outcome: 'SUCCESS' }])
    await store.streams.advance(0, 'sink', (await store.streams.extent(0)).last)
    expect(await store.outbox.trim(0)).toBeGreaterThan(0)
  }

  test('Redis passes without the entry that was archived last; migrate goes on', async () => {
    await switchedOff()
    await compared()
    expect((await run('status')).out).toMatch(/^0 +off /m)
    expect((await run('migrate')).exit).toBe(0)
    await conclude(await claimed())
    await archiveAll()
    await compared()
    expect(await run('verify')).toMatchObject({ exit: 0 })
  })

  test('a Redis from before is still noticed, also by a second off', async () => {
    const goBack = await remember()
    await switchedOff()
    await goBack()
    await expect(compared()).rejects.toThrow('not in Redis')
    await expect(run('off')).rejects.toThrow('not in Redis')
    await expect(compared()).rejects.toThrow('not in Redis')
  })

  test('and on again, a Redis from between is noticed, also by migrate', async () => {
    await switchedOff()
    const goBack = await remember()
    await run('migrate')
    await conclude(await claimed())
    await archiveAll()
    await goBack()
    await expect(compared()).rejects.toThrow('not in Redis')
    await expect(run('migrate')).rejects.toThrow('not in Redis')
    await expect(compared()).rejects.toThrow('not in Redis')
  })
})

describe('rebuild', () => {
  /** Has two orders forgotten, by an archiver, and a third one kept. */
  async function forgotten(): Promise<OrderId[]> {
    const orderIds = [await claimed(), await claimed()]
    for (const orderId of orderIds) await conclude(orderId)
    const env = { FORGET: 'true', TEST_KEEP_SECONDS: '0' }
    await archiverUntil(async () => expect(await connection.keys('{s0}:order:*')).toEqual([]), env)
    await conclude(await claimed())
    await archiveAll()
    return orderIds
  }

  test('makes damaged filters anew out of the archive', async () => {
    const orderIds = await forgotten()
    expect((await run('status')).out).toMatch(/forgotten.*\n0 +on .* 2 +all archived/)
    await connection.del('{s0}:forgotten:1')
    expect((await run('verify')).exit).toBe(1)
    expect(await run('rebuild')).toMatchObject({ exit: 0, out: expect.stringMatching(/^2 /) })
    for (const orderId of orderIds) expect(await mayHave(orderId)).toBe(true)
    expect(await run('verify')).toMatchObject({ exit: 0 })
  })

  test('believes no archive that is older than what was forgotten', async () => {
    await forgotten()
    const before = await connection.hget('{s0}:archive', 'filters')
    await connection.hset('{s0}:archive', 'forgottenVersion', 1_000)
    await expect(run('rebuild')).rejects.toThrow('restore it to its latest state first')
    expect(await connection.hget('{s0}:archive', 'filters')).toBe(before)
  })
})

describe('verify', () => {
  test('counts forgotten orders, and names those that Redis should know', async () => {
    const [kept, gone] = [await claimed(), await claimed()]
    for (const orderId of [kept, gone]) await conclude(orderId)
    const forgotten = await claimed()
    await conclude(forgotten)
    await archiveAll()
    const [read] = await store.forgetting.read(0, [forgotten])
    if (read === undefined || read instanceof Error) throw new Error('it is concluded')
    const archiveId = (await store.states.archiveId()) ?? ''
    await store.forgetting.forget(0, {
      archiveId,
      version: 9,
      dueAt: 0,
      from: '0-0',
      to: '1-1',
      orders: [read],
    })
    expect((await run('verify')).out).toMatch(/^2 orders are equal.*1 were forgotten, and 0/)
    await connection.del(`{s0}:order:${gone}`)
    const { exit, out } = await run('verify')
    expect([exit, out]).toEqual([1, expect.stringContaining('neither in Redis nor in a filter')])
  })
})
