import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openWorkerStore, orderIdOf } from '@placeorder/store'
import {
  aPlaceOrder,
  type Ingress,
  openSystem,
  type RunningApp,
  signedCall,
} from '@placeorder/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Scraped, scrape, seriesOf } from './scrape.ts'

const WAIT_MS = 400
const system = await openSystem({
  env: { DECIDE_WITHIN_MS: '1500', WAIT_MS: String(WAIT_MS) },
})
afterAll(() => system.close())

/** A check that fails for certain orders; this many in a row open its circuit. */
const ownCheck = `export default ({ order }) => {
  if (order.passThroughInfo === 'fail') throw new Error('cannot decide')
  return 'SUCCESS'
}`
const FAILING = 6

const anotherOrder = (changes = {}) =>
  aPlaceOrder({ customerId: `customer-${Math.random()}`, ...changes })

/** Scrapes before any order, while orders waited for a worker, under load, and at the end. */
const shown = {
  before: new Map(),
  waiting: new Map(),
  loaded: new Map(),
  after: new Map(),
} as Record<'before' | 'waiting' | 'loaded' | 'after', Scraped>
const shownByWorker = { before: new Map(), failing: new Map(), after: new Map() } as Record<
  'before' | 'failing' | 'after',
  Scraped
>

/** Orders that stay open because no worker runs; all of them lose their jobs. */
async function leaveOpen(ingress: Ingress) {
  const orders = [anotherOrder(), anotherOrder(), anotherOrder()]
  await Promise.all(orders.map(ingress.place))
  shown.waiting = await scrape(ingress.admin)
  const address = { urls: [system.redisUrl], cluster: false, sentinels: [], sentinelName: '' }
  const store = await openWorkerStore({ address, shards: 1, onFault: () => {} })
  for (const order of orders) {
    const { jobId = '' } = (await store.orders.record(orderIdOf(order))) ?? {}
    await store.queues.queue(0).remove(jobId)
  }
  await store.close()
}

/** Keeps many orders in flight until a scrape has counted them, and their signatures. */
async function load(ingress: Ingress) {
  let loading = true
  const callers = Array.from({ length: 40 }, async () => {
    while (loading) await ingress.place(anotherOrder())
  })
  try {
    await vi.waitFor(
      async () => {
        shown.loaded = await scrape(ingress.admin)
        expect(shown.loaded.get('placeorder_orders_in_flight')).toBeGreaterThan(0)
        expect(shown.loaded.get('placeorder_signatures_in_flight')).toBeGreaterThan(0)
      },
      { timeout: 20_000, interval: 5 },
    )
  } finally {
    loading = false
    await Promise.all(callers)
  }
}

const ingress = await system.startIngress()

async function run(startWorker: () => Promise<RunningApp>) {
  shown.before = await scrape(ingress.admin)
  await leaveOpen(ingress)
  const worker = await startWorker()
  shownByWorker.before = await scrape(worker.admin)
  await load(ingress)
  const placed = anotherOrder()
  await vi.waitFor(async () => expect((await ingress.place(placed)).code).toBe('SUCCESS'), 20_000)
  await Promise.all(
    Array.from({ length: FAILING }, () => ingress.place(anotherOrder({ passThroughInfo: 'fail' }))),
  )
  await vi.waitFor(async () => {
    shownByWorker.failing = await scrape(worker.admin)
    expect(shownByWorker.failing.get('placeorder_check_circuit_open{check="own"}')).toBe(1)
  }, 10_000)
  const { privateKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await signedCall(`${ingress.origin}/aps/api/v1/payments/placeOrder`, anotherOrder(), {
    ...system.caller,
    key,
  })
  await vi.waitFor(
    async () => {
      const after = await scrape(worker.admin)
      shownByWorker.after = after
      expect(after.get('placeorder_requeued_orders_total')).toBe(3)
      expect(after.get('placeorder_abandoned_orders_total')).toBeGreaterThanOrEqual(FAILING)
      expect(after.get('placeorder_open_orders')).toBe(0)
      expect(after.get('placeorder_limit_used_ratio{kind="merchantDay"}')).toBeGreaterThan(0)
    },
    { timeout: 20_000, interval: 200 },
  )
  shown.after = await scrape(ingress.admin)
}

beforeAll(async () => {
  const file = join(system.dir, 'policy.json')
  const policy = JSON.parse(await readFile(file, 'utf8'))
  policy.checks = [{ name: 'own', after: 'risk', timeoutMs: 500, module: './own.mjs' }]
  await writeFile(join(system.dir, 'own.mjs'), ownCheck)
  await writeFile(file, JSON.stringify(policy))
  await run(() => system.startWorker())
})

const moved = (from: Scraped, to: Scraped, name: string) =>
  (to.get(name) ?? 0) - (from.get(name) ?? 0)

describe('an ingress under load shows', () => {
  test.each([
    'placeorder_answers_total{endpoint="place",code="SUCCESS",status="S"}',
    'placeorder_answers_total{endpoint="place",code="PAYMENT_IN_PROCESS",status="U"}',
    'placeorder_answers_total{endpoint="place",code="INVALID_SIGNATURE",status="F"}',
    'placeorder_answer_seconds_count{endpoint="place"}',
    'placeorder_stage_seconds_count{stage="verify"}',
    'placeorder_stage_seconds_count{stage="accept"}',
    'placeorder_stage_seconds_count{stage="announce"}',
    'placeorder_stage_seconds_count{stage="sign"}',
    'placeorder_group_orders_count{kind="intake"}',
    'placeorder_redis_round_trip_seconds_count',
    'placeorder_signature_failures_total{client="SANDBOX_5Y00000000000001",source="known"}',
    'placeorder_verified_requests_total{client="SANDBOX_5Y00000000000001"}',
  ])('%s', (name) => {
    expect(moved(shown.before, shown.after, name)).toBeGreaterThan(0)
  })

  test('orders and signatures in flight', () => {
    for (const name of ['placeorder_orders_in_flight', 'placeorder_signatures_in_flight']) {
      expect(shown.loaded.get(name)).toBeGreaterThan(0)
      expect(shown.after.get(name)).toBe(0)
    }
  })

  test('open orders and the age of the oldest until they are decided', () => {
    expect(shown.waiting.get('placeorder_open_orders')).toBe(3)
    expect(shown.waiting.get('placeorder_oldest_open_order_age_seconds')).toBeGreaterThan(
      (WAIT_MS - 50) / 1000,
    )
    expect(shown.after.get('placeorder_open_orders')).toBe(0)
    expect(shown.after.get('placeorder_oldest_open_order_age_seconds')).toBe(0)
  })

  test('an answer at the deadline between the wait and its bound', () => {
    const upTo = (seconds: number) =>
      shown.waiting.get(`placeorder_answer_seconds_bucket{le="${seconds}",endpoint="place"}`)
    expect([upTo(0.3), upTo(5)]).toEqual([0, 3])
  })

  test('more orders than groups', () => {
    const orders = moved(shown.before, shown.after, 'placeorder_group_orders_sum{kind="intake"}')
    expect(orders).toBeGreaterThan(
      moved(shown.before, shown.after, 'placeorder_group_orders_count{kind="intake"}'),
    )
  })

  test('the event loop’s delay and Redis’s durability', () => {
    expect(shown.after.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
    expect(shown.after.get('placeorder_redis_durable')).toBe(1)
  })
})

describe('a worker under load shows', () => {
  test.each([
    'placeorder_stage_seconds_count{stage="queue"}',
    'placeorder_stage_seconds_count{stage="decide"}',
    'placeorder_stage_seconds_count{stage="conclude"}',
    'placeorder_group_orders_count{kind="job"}',
    'placeorder_redis_round_trip_seconds_count',
    'placeorder_retries_total',
    'placeorder_requeued_orders_total',
    'placeorder_abandoned_orders_total',
    'placeorder_check_failures_total{check="own"}',
    'placeorder_limit_used_ratio{kind="merchantDay"}',
    'placeorder_limit_used_ratio{kind="customerDay"}',
  ])('%s', (name) => {
    expect(moved(shownByWorker.before, shownByWorker.after, name)).toBeGreaterThan(0)
  })

  test('the event loop’s delay, and that Redis is durable', () => {
    expect(shownByWorker.after.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
    expect(shownByWorker.after.get('placeorder_redis_durable')).toBe(1)
  })

  test('whether the circuit of a check is open', () => {
    expect(shownByWorker.before.get('placeorder_check_circuit_open{check="own"}')).toBe(0)
    expect(shownByWorker.failing.get('placeorder_check_circuit_open{check="own"}')).toBe(1)
  })

  test('the used share of the most used limit of each kind', () => {
    const ratios = ['merchantDay', 'customerDay'].map((kind) =>
      shownByWorker.after.get(`placeorder_limit_used_ratio{kind="${kind}"}`),
    )
    for (const ratio of ratios) expect(ratio).toBeLessThan(1)
  })
})

test('callers cannot create series by the names they send', async () => {
  const headers = (i: number) => ({
    'client-id': `made-up-${i}`,
    signature: `keyVersion=${i}, signature=x`,
  })
  const makeUp = async (from: number) => {
    for (let i = from; i < from + 20; i += 1)
      for (const path of ['/aps/api/v1/payments/placeOrder', `/made-up/${i}`])
        await fetch(`${ingress.origin}${path}`, { method: 'POST', headers: headers(i), body: '{}' })
    return seriesOf(await scrape(ingress.admin))
  }
  const before = await makeUp(0)
  expect(await makeUp(20)).toEqual(before)
})
