import { beforeEach, expect, test } from 'vitest'
import { openTestStore } from '../../test/test-store.ts'
import { openKey, openWalkKey } from '../keys.ts'

const { worker, connection } = await openTestStore({ own: true })
const { openWalk } = worker
const now = Date.now()
const HOUR_MS = 3_600_000

beforeEach(async () => {
  await connection.del(openKey(0), openWalkKey(0))
})

/** Open orders, claimed at these times. */
async function openSince(...claimTimes: number[]): Promise<string[]> {
  const orderIds = claimTimes.map((_, i) => `P-${String(i).padStart(6, '0')}`)
  await connection.zadd(openKey(0), ...claimTimes.flatMap((at, i) => [at, orderIds[i] ?? '']))
  return orderIds
}

/** All pages up to the last. */
async function walk(): Promise<string[][]> {
  const pages: string[][] = []
  for (let more = true; more; ) {
    const page = await openWalk.next(0)
    pages.push(page.orderIds)
    more = page.more
  }
  return pages
}

const series = (length: number, at: (i: number) => number) =>
  Array.from({ length }, (_, i) => at(i))

test.each([
  ['one order', [now - HOUR_MS]],
  ['a full page', series(500, (i) => now - HOUR_MS + i)],
  ['many pages', series(1_234, (i) => now - HOUR_MS + i)],
  ['many that were claimed in one ms', series(1_600, () => now - HOUR_MS)],
  ['groups that do not fit pages', series(1_500, (i) => now - HOUR_MS + Math.floor(i / 128))],
  ['claimed before the clock was put back', series(700, (i) => now + HOUR_MS + i)],
  ['before and after the clock was put back', series(1_400, (i) => now + (i - 700) * 10_000)],
] as const)('workers that share a walk see each order once: %s', async (_, claimTimes) => {
  const open = await openSince(...claimTimes.filter((at) => at < now - 5_000 || at > now + 60_000))
  const pages = await Promise.all([walk(), walk(), walk()])
  expect(pages.flat(2).toSorted()).toEqual(open)
})

test('an order that was just claimed is left out, and seen when it is older', async () => {
  await openSince(Date.now())
  expect(await walk()).toEqual([[]])
})

test('after a walk no worker begins another for 3 s', async () => {
  const open = await openSince(now - HOUR_MS)
  expect(await walk()).toEqual([open])
  expect(await walk()).toEqual([[]])
  const pauseMs = await connection.pttl(openWalkKey(0))
  expect(pauseMs).toBeGreaterThan(0)
  expect(pauseMs).toBeLessThanOrEqual(3_000)
  await connection.del(openWalkKey(0)) // As if it had passed.
  expect(await walk()).toEqual([open])
})

test('a pause that began while the clock was ahead by days is not waited for', async () => {
  const open = await openSince(now - HOUR_MS)
  expect(await walk()).toEqual([open])
  await connection.pexpire(openWalkKey(0), 72 * HOUR_MS)
  expect(await walk()).toEqual([open])
  expect(await walk()).toEqual([[]])
})

test('orders concluded between two pages do not hide others', async () => {
  const open = await openSince(...series(1_000, (i) => now - HOUR_MS + i))
  const first = await openWalk.next(0)
  await connection.zrem(openKey(0), ...first.orderIds)
  expect(await walk()).toEqual([open.slice(500), []])
})

test('a late page costs Redis as much as the first one', async () => {
  const many = 'for i = ARGV[1], ARGV[1] + 4999 do redis.call("ZADD", KEYS[1], i, "P-" .. i) end'
  for (let from = 1; from < 60_000; from += 5_000) await connection.eval(many, 1, openKey(0), from)
  await openWalk.next(0)
  const pageUs = async () => {
    await connection.config('RESETSTAT')
    await openWalk.next(0)
    const stats = await connection.info('commandstats')
    return Number(/cmdstat_zrangebyscore:calls=\d+,usec=(\d+)/.exec(stats)?.[1])
  }
  const first = [await pageUs(), await pageUs(), await pageUs()]
  await connection.set(openWalkKey(0), '(58000')
  const late = [await pageUs(), await pageUs(), await pageUs()]
  expect(Math.min(...late)).toBeLessThan(5 * Math.min(...first))
})
