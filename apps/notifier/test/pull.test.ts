import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { OrderEvent } from '@placeorder/events'
import { aPlaceOrder } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'
import { Outcomes } from '../src/outcomes.ts'
import { Pull } from '../src/pull/pull.ts'
import { buildPullServer } from '../src/pull/server.ts'
import { openEventSystem } from './system.ts'

const token = 'a token of those who pull'
const SHARDS = 2
const { store, conclude, connection } = await openEventSystem({ shards: SHARDS })
const outcomes = new Outcomes({ store, archive: undefined })
let demandPassed = () => {}
const deps = {
  ...{ store, outcomes, archive: undefined, shards: SHARDS },
  demandPassed: () => demandPassed(),
}
const pull = new Pull(deps)
await pull.open()
const server = buildPullServer({ pull, token, onFault: () => {} }).listen(0, '127.0.0.1')
await once(server, 'listening')
afterAll(() => void server.close())
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

type Page = { events: OrderEvent[]; next: string; error?: string; begin?: string }

async function get(query: Record<string, string> = {}, authorization = `Bearer ${token}`) {
  const url = `${origin}/events?${new URLSearchParams(query)}`
  const response = await fetch(url, { headers: { authorization } })
  return { status: response.status, ...((await response.json()) as Page) }
}

const orders = (count: number) => Array.from({ length: count }, () => aPlaceOrder())
const subjectsOf = ({ events }: Page) => events.map(({ subject }) => subject).sort()
const paymentIds = (list: { paymentId: string }[]) => list.map(({ paymentId }) => paymentId).sort()

test('whoever pulls gets every outcome from where they begin, page by page', async () => {
  await conclude(orders(3))
  let { next } = await get()
  const placed = orders(120)
  for (const order of placed) await conclude([order])
  const seen: OrderEvent[] = []
  for (;;) {
    const page = await get({ after: next, limit: '50' })
    expect(page.events.length).toBeLessThanOrEqual(50)
    if (page.events.length === 0) break
    seen.push(...page.events)
    next = page.next
  }
  expect(seen.map(({ subject }) => subject).sort()).toEqual(paymentIds(placed))
})

test('nothing is given while Redis may be older than it was, and then all of it', async () => {
  const { next } = await get()
  const placed = orders(2)
  await conclude(placed)
  demandPassed = () => {
    throw new Error('Redis is older than it was')
  }
  expect((await get({ after: next })).status).toBe(503)
  demandPassed = () => {}
  expect(subjectsOf(await get({ after: next }))).toEqual(paymentIds(placed))
})

test('a notifier that starts while Redis is full lets pulling go on', async () => {
  const { next } = await get()
  const placed = orders(2)
  await conclude(placed)
  await connection.config('SET', 'maxmemory', '1')
  try {
    const restarted = new Pull(deps)
    await restarted.open()
    const page = await restarted.page({ after: next, filter: {}, limit: 10 })
    if (page.kind !== 'events') throw new Error(`events were pulled, and not ${page.kind}`)
    expect(page.events.map(({ subject }) => subject).sort()).toEqual(paymentIds(placed))
  } finally {
    await connection.config('SET', 'maxmemory', '0')
  }
})

test('the same cursor gives the same events, until a later one is used', async () => {
  const { next: before } = await get()
  const placed = orders(4)
  await conclude(placed)
  const first = await get({ after: before })
  expect(subjectsOf(first)).toEqual(paymentIds(placed))
  await store.outbox.trim(0)
  await store.outbox.trim(1)
  expect(subjectsOf(await get({ after: before }))).toEqual(paymentIds(placed))
  await conclude(orders(4))
  await get({ after: first.next })
  for (const shard of [0, 1]) await connection.xtrim(`{s${shard}}:outbox`, 'MAXLEN', 0)
  const gone = await get({ after: before })
  expect(gone).toMatchObject({ status: 410, error: 'events after it are not kept any more' })
  expect((await get({ after: gone.begin ?? '' })).status).toBe(200)
})

test('events are filtered by type and merchant', async () => {
  const { next: after } = await get()
  const wanted = aPlaceOrder({ merchant: { referenceMerchantId: 'M-wanted' } })
  await conclude([wanted, ...orders(2)])
  await conclude([aPlaceOrder({ merchant: wanted.merchant })], 'RISK_REJECT')
  const page = await get({ after, merchants: 'M-wanted', types: 'order.placed' })
  expect(subjectsOf(page)).toEqual([wanted.paymentId])
})

describe('is refused:', () => {
  test.each([
    ['another token', {}, 'Bearer another', 401, /EVENTS_TOKEN/],
    ['no token', {}, '', 401, /EVENTS_TOKEN/],
    ['what is not a cursor', { after: 'x' }, undefined, 400, /not a cursor/],
    ['a time that is none', { since: 'yesterday' }, undefined, 400, /since: is not a time/],
    ['since without an archive', { since: '2026-03-14T09:00:00Z' }, undefined, 400, /ARCHIVE_URL/],
    ['an unknown type', { types: 'order.paid' }, undefined, 400, /types/],
    ['an unknown parameter', { typ: 'x' }, undefined, 400, /typ/],
  ])('%s', async (_what, query, authorization, status, error) => {
    const answer = await get(query, authorization)
    expect(answer).toMatchObject({ status, error: expect.stringMatching(error) })
  })
})

test('a cursor of a Redis that lost its data, or went back, says where to begin', async () => {
  const { next } = await get()
  const cursor = JSON.parse(Buffer.from(next, 'base64url').toString())
  const written = (changed: object) =>
    Buffer.from(JSON.stringify({ ...cursor, ...changed })).toString('base64url')
  for (const [changed, error] of [
    [{ incarnation: 'another' }, 'Redis has lost its data since'],
    [{ ids: ['9999999999999-0', '9999999999999-0'] }, 'Redis is older than it was'],
    [{ ids: ['0-0'] }, 'the number of shards is another one'],
  ] as const) {
    const gone = await get({ after: written(changed) })
    expect(gone).toMatchObject({ status: 410, error })
    expect((await get({ after: gone.begin ?? '' })).status).toBe(200)
  }
})

test('after Redis lost all its data, those who pull get 410, and go on', async () => {
  const { next } = await get()
  await connection.flushall()
  const gone = await get({ after: next })
  expect(gone).toMatchObject({ status: 410, error: 'Redis has lost its data since' })
  const placed = orders(3)
  await conclude(placed)
  const page = await get({ after: gone.begin ?? '' })
  expect(subjectsOf(page)).toEqual(paymentIds(placed))
})
