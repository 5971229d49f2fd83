import { randomUUID } from 'node:crypto'
import { type Archive, migrate, openArchive } from '@placeorder/archive'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { ArchiveStates, connect, disconnect, orderIdOf } from '@placeorder/store'
import {
  aPlaceOrder,
  FaultProxy,
  type Ingress,
  openSystem,
  type RunningProcess,
  startProcess,
  type TestPostgres,
  testPostgres,
} from '@placeorder/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { forget } from '../../../packages/store/test/forget.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const WAIT_MS = 2_000

const system = await openSystem({ env: { WAIT_MS: String(WAIT_MS), TEST_KEEP_SECONDS: '1' } })
const connection = connect(system.address, 'patient')
const archiveId = randomUUID()
let postgres: TestPostgres
let archive: Archive
let proxy: FaultProxy
let ingress: Ingress
let archiver: RunningProcess
beforeAll(async () => {
  postgres = await testPostgres()
  await migrate(postgres.url)
  archive = openArchive({ url: postgres.url })
  await archive.register(archiveId, 1)
  await new ArchiveStates(connection, 1).switchOn(0, archiveId)
  archiver = startProcess({
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    env: {
      REDIS_URL: system.redisUrl,
      ARCHIVE_URL: postgres.url,
      FORGET: 'true',
      TEST_KEEP_SECONDS: '1',
      ADMIN_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
    },
  })
  const there = new URL(postgres.url)
  proxy = await FaultProxy.open({ host: there.hostname, port: Number(there.port) })
  there.hostname = '127.0.0.1'
  there.port = String(proxy.port)
  ;[ingress] = await Promise.all([
    system.startIngress({ ARCHIVE_URL: there.href }),
    system.startWorker({ ARCHIVE_URL: postgres.url }),
  ])
  await forgotten() // From now on there is a filter.
})
afterEach(() => proxy.heal())
afterAll(async () => {
  archiver.kill('SIGKILL')
  await archiver.exited
  await disconnect(connection)
  await system.close()
  await proxy.close()
  await archive.close()
  await postgres.close()
})

const newOrder = () => aPlaceOrder({ customerId: randomUUID() })
const inquiryOf = ({ acquirerId, pspId, paymentId }: PlaceOrderRequest) => ({
  acquirerId,
  pspId,
  paymentId,
})
const version = async () => (await archive.shards(archiveId))[0]?.version ?? 0

/** Places an order, and waits until only the archive has it. */
async function forgotten() {
  const order = newOrder()
  const placed = await ingress.place(order)
  const inquired = await ingress.inquire(inquiryOf(order))
  const key = `{s0}:order:${orderIdOf(order)}`
  await vi.waitFor(async () => expect(await connection.exists(key)).toBe(0), {
    timeout: 60_000,
    interval: 50,
  })
  return { order, placed, inquired }
}

/** Forgets an order that was never claimed: only its bits are set. */
async function seeming() {
  const order = newOrder()
  await forget(connection, [orderIdOf(order)], { version: await version() })
  return order
}

test('a forgotten order gets the answers it got before', async () => {
  const { order, placed, inquired } = await forgotten()
  expect(placed.code).toBe('SUCCESS')
  expect((await ingress.place(order)).body).toEqual(placed.body)
  expect((await ingress.inquire(inquiryOf(order))).body).toEqual(inquired.body)
  const other = { ...order, paymentRequestId: 'R-9' }
  expect((await ingress.place(other)).code).toBe('REPEAT_REQ_INCONSISTENT')
  expect((await ingress.inquire({ ...inquiryOf(order), pspId: 'another' })).code).toBe(
    'ORDER_NOT_EXIST',
  )
})

test('an order that only seems forgotten is new to an inquiry and to a claim', async () => {
  const order = await seeming()
  expect((await ingress.inquire(inquiryOf(order))).code).toBe('ORDER_NOT_EXIST')
  expect((await ingress.place(order)).code).toBe('SUCCESS')
})

describe('an order that the archive has not is unknown, and not stored,', () => {
  const isUnknown = async (order: PlaceOrderRequest) => {
    expect((await ingress.place(order)).code).toBe('UNKNOWN_EXCEPTION')
    expect((await ingress.inquire(inquiryOf(order))).code).toBe('UNKNOWN_EXCEPTION')
    expect(await connection.exists(`{s0}:order:${orderIdOf(order)}`)).toBe(0)
    expect(await connection.zcard('{s0}:open')).toBe(0)
  }

  test('if the archive is older than it was when Redis forgot', async () => {
    const { order: kept, placed } = await forgotten()
    const order = await seeming()
    await forget(connection, [orderIdOf(order)], { version: (await version()) + 1_000 })
    await isUnknown(order)
    expect((await ingress.place(kept)).body).toEqual(placed.body) // What it has is still true.
    await connection.hset('{s0}:archive', 'forgottenVersion', await version())
    expect((await ingress.place(order)).code).toBe('SUCCESS')
  })

  test('if it is another archive', async () => {
    const order = await seeming()
    await connection.hset('{s0}:archive', 'uuid', randomUUID())
    await isUnknown(order)
    await connection.hset('{s0}:archive', 'uuid', archiveId)
    expect((await ingress.place(order)).code).toBe('SUCCESS')
  })
})

test('what the archive said is counted', async () => {
  const metrics = await (await fetch(`${ingress.admin}/metrics`)).text()
  for (const result of ['found', 'absent', 'not_believed'])
    expect(metrics).toMatch(
      new RegExp(`^placeorder_archive_look_ups_total\\{result="${result}"\\} [1-9]`, 'm'),
    )
})

describe.each([
  ['is silent', async () => proxy.blackHole()],
  ['refuses connections', () => proxy.refuse()],
])('while PostgreSQL %s', (_, fail) => {
  test('repeats of archived orders are U in time, and new orders go on', async () => {
    const { order, placed } = await forgotten()
    await fail()
    const repeats = Promise.all(Array.from({ length: 20 }, () => ingress.place(order)))
    const inquiries = Promise.all(
      Array.from({ length: 20 }, () => ingress.inquire(inquiryOf(order))),
    )
    for (let n = 0; n < 20; n += 1) expect((await ingress.place(newOrder())).code).toBe('SUCCESS')
    const answers = [...(await repeats), ...(await inquiries)]
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['UNKNOWN_EXCEPTION']))
    expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(WAIT_MS + 200)
    const ready = await fetch(`${ingress.admin}/readyz`)
    expect(ready.status).toBe(200)
    expect(await ready.text()).toContain('archived orders are answered UNKNOWN_EXCEPTION')
    await proxy.heal()
    await expect
      .poll(async () => (await ingress.place(order)).body, { timeout: 10_000 })
      .toEqual(placed.body)
    await expect
      .poll(async () => (await fetch(`${ingress.admin}/readyz`)).text())
      .not.toContain('notes')
  })
})

test('without ARCHIVE_URL an ingress of a Redis that has forgotten is not ready', async () => {
  const { order } = await forgotten()
  const without = await system.startIngress()
  const ready = await fetch(`${without.admin}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.text()).toContain('ARCHIVE_URL')
  expect((await without.place(order)).code).toBe('UNKNOWN_EXCEPTION')
})

test('an ingress is not ready while a filter is missing', async () => {
  const filter = await connection.getBuffer('{s0}:forgotten:1')
  await connection.del('{s0}:forgotten:1')
  const ready = await fetch(`${ingress.admin}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.text()).toContain('{s0}:forgotten:1')
  expect((await ingress.place(newOrder())).code).toBe('UNKNOWN_EXCEPTION')
  await connection.set('{s0}:forgotten:1', filter ?? '')
  expect((await ingress.place(newOrder())).code).toBe('SUCCESS')
})
