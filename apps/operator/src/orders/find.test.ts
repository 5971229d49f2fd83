import { randomUUID } from 'node:crypto'
import { migrate, openArchive, orderToArchive } from '@placeorder/archive'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import {
  digestOf,
  openArchiverStore,
  openIngressStore,
  openOperatorStore,
  openWorkerStore,
  orderIdOf,
} from '@placeorder/store'
import { aPlaceOrder, testPostgres, testRedis } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { runOrders } from './command.ts'

const [redis, postgres] = await Promise.all([testRedis({ own: true }), testPostgres()])
await migrate(postgres.url)
const archive = openArchive({ url: postgres.url })
const options = {
  address: { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' },
  shards: 1,
  onFault: () => {},
}
const ingress = await openIngressStore({ ...options, waitMs: 100 })
const worker = await openWorkerStore(options)
const archiver = await openArchiverStore(options)
const archiveId = randomUUID()
await archive.register(archiveId, 1)
await archiver.states.switchOn(0, archiveId)
afterAll(async () => {
  await Promise.all([ingress.close(), worker.close(), archiver.close(), archive.close()])
  await Promise.all([redis.close(), postgres.close()])
})

async function run(...args: string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const exit = await runOrders(args, {
    open: () => openOperatorStore(options),
    openArchive: () => openArchive({ url: postgres.url }),
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
    who: () => 'somebody@here',
  })
  return { exit, out: out.join(''), err: err.join('') }
}

async function claimed(order: PlaceOrderRequest): Promise<PlaceOrderRequest> {
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
  return order
}

async function concluded(order: PlaceOrderRequest): Promise<PlaceOrderRequest> {
  await claimed(order)
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  return order
}

/**
 * Concludes an order and copies it; it stays in the outbox, as if the archiver had died before it
 * acknowledged.
 */
async function archived(order: PlaceOrderRequest): Promise<PlaceOrderRequest> {
  await concluded(order)
  const [record] = await archiver.records.read(0, [orderIdOf(order)])
  if (record === undefined || record instanceof Error) throw new Error('it is concluded')
  const shard = { archiveId, shard: 0 }
  const last = { id: '1-0', digest: 'd' }
  const redisSide = async () => ({ committed: 0, entry: last })
  await archive.write(shard, { orders: [orderToArchive(record, digestOf)], last, redisSide })
  return order
}

const merchant = (referenceMerchantId: string) => ({
  merchant: { ...aPlaceOrder().merchant, referenceMerchantId },
})
const from = () => new Date(Date.now() - 600_000).toISOString()
const to = () => new Date(Date.now() + 600_000).toISOString()
const rowsOf = (out: string) => out.trimEnd().split('\n').slice(1)

test('find names the orders of a merchant and a time in both stores, each once', async () => {
  const open = await claimed(aPlaceOrder(merchant('M-find')))
  const recent = await concluded(aPlaceOrder(merchant('M-find')))
  const old = await archived(aPlaceOrder(merchant('M-find')))
  await archived(aPlaceOrder(merchant('M-other')))
  const span = ['--from', from(), '--to', to()]
  const { exit, out } = await run('find', '--merchant', 'M-find', ...span)
  expect(exit).toBe(0)
  const rows = rowsOf(out)
  expect(rows).toHaveLength(3)
  for (const [order, outcome] of [
    [open, 'open'],
    [recent, 'SUCCESS'],
    [old, 'SUCCESS'],
  ] as const)
    expect(rows.find((row) => row.includes(order.paymentId))).toContain(`  ${outcome}  `)
  const before = ['--from', '2020-01-01', '--to', '2020-01-02']
  expect(await run('find', '--merchant', 'M-find', ...before)).toMatchObject({ exit: 1, out: '' })
})

test('find names the order of a paymentRequestId, archived or not', async () => {
  for (const order of [await claimed(aPlaceOrder()), await archived(aPlaceOrder())]) {
    const { paymentRequestId = '' } = (await worker.orders.record(orderIdOf(order))) ?? {}
    const { exit, out } = await run('find', '--request-id', paymentRequestId)
    expect([exit, rowsOf(out)]).toEqual([0, [expect.stringContaining(order.paymentId)]])
  }
})

test.each([
  [['find']],
  [['find', '--merchant', 'M-1']],
  [['find', '--merchant', 'M-1', '--from', '2026-03-02', '--to', '2026-03-01']],
  [['find', '--merchant', 'M-1', '--request-id', 'R-1']],
])('%j is answered with what is missing', async (args) => {
  expect((await run(...args)).exit).toBe(2)
})

test('show finds an order that only the archive has', async () => {
  const order = await archived(aPlaceOrder())
  await worker.connection.del(`{s0}:order:${orderIdOf(order)}`)
  for (const args of [[], ['--acquirer', order.acquirerId]]) {
    const { exit, out } = await run('show', order.paymentId, ...args)
    expect(exit).toBe(0)
    expect(out).toMatch(/^state +concluded SUCCESS$/m)
    expect(out).toMatch(/^\d{4}-\S+Z +archived$/m)
  }
})
