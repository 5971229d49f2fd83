import { randomUUID } from 'node:crypto'
import { testPostgres } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'
import { anOrder } from '../test/an-order.ts'
import type { FoundOrder, OrderToArchive } from './archived-order.ts'
import { migrate } from './migrate.ts'
import { openArchive } from './open-archive.ts'
import type { Search } from './search.ts'

const postgres = await testPostgres()
await migrate(postgres.url)
const archive = openArchive({ url: postgres.url })
afterAll(async () => {
  await archive.close()
  await postgres.close()
})

const shard = { archiveId: randomUUID(), shard: 0 }
await archive.register(shard.archiveId, 1)
const redisSide = async () => ({ committed: 0, entry: { id: '1-0', digest: 'd' } })
const write = (orders: OrderToArchive[]) =>
  archive.write(shard, { orders, last: { id: '1-0', digest: 'd' }, redisSide })

async function paymentIds(searched: Search): Promise<string[][]> {
  const pages: string[][] = []
  for await (const page of archive.search(searched))
    pages.push(page.map(({ paymentId }) => paymentId))
  return pages
}

test('an order is found by its paymentRequestId, and by its paymentId whosever it is', async () => {
  const order = anOrder()
  const twin = anOrder({ acquirerId: 'A-2', paymentId: order.paymentId })
  await write([order, twin, anOrder()])
  const { paymentId, paymentRequestId } = order
  expect(await paymentIds({ paymentRequestId })).toEqual([[paymentId]])
  expect(await paymentIds({ paymentId })).toEqual([[paymentId, paymentId]])
  expect(await paymentIds({ paymentRequestId: 'R-none' })).toEqual([[]])
})

test('the orders of a merchant and a time come in pages, in claim order', async () => {
  const start = Date.UTC(2026, 3, 1)
  const orders = Array.from({ length: 1_203 }, (_, i) =>
    anOrder({ merchantId: 'M-busy', claimedAt: start + Math.floor(i / 3) }),
  )
  const others = [
    anOrder({ merchantId: 'M-busy', claimedAt: start - 1 }),
    anOrder({ merchantId: 'M-busy', claimedAt: start + 1_000 }),
    anOrder({ merchantId: 'M-calm', claimedAt: start }),
  ]
  await write([...orders, ...others])
  const pages = await paymentIds({ merchantId: 'M-busy', from: start, to: start + 1_000 })
  expect(pages.map((page) => page.length)).toEqual([500, 500, 203])
  const claimedAt = new Map(orders.map((order) => [order.paymentId, order.claimedAt]))
  const times = pages.flat().map((paymentId) => claimedAt.get(paymentId) ?? 0)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(new Set(pages.flat())).toEqual(new Set(claimedAt.keys()))
})

test('orders of a time come in pages, in the order of their conclusion', async () => {
  const start = Date.UTC(2026, 4, 1)
  const orders = Array.from({ length: 1_203 }, (_, i) =>
    anOrder({ concludedAt: start + Math.floor(i / 3) }),
  )
  const others = [anOrder({ concludedAt: start - 1 }), anOrder({ concludedAt: start + 1_000 })]
  await write([...orders, ...others])
  const pages: FoundOrder[][] = []
  for await (const page of archive.concluded({ from: start, to: start + 1_000 })) pages.push(page)
  expect(pages.map((page) => page.length)).toEqual([500, 500, 203])
  const times = pages.flat().map(({ concludedAt }) => concludedAt)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(new Set(pages.flat().map(({ paymentId }) => paymentId)).size).toBe(1_203)
  const after = pages[1]?.at(-1)
  const rest = await archive.concluded({ from: start, to: start + 1_000, after }).next()
  expect(rest.value).toEqual(pages[2])
})
