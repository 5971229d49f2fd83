import { randomInt, randomUUID } from 'node:crypto'
import { type Archive, migrate, openArchive } from '@placeorder/archive'
import { Client } from 'pg'
import type { Benchmark } from '../../report/metric.ts'
import { Latencies, quantile, roundsOf } from '../../statistics.ts'
import { postgresFor } from '../../test-bed/postgres.ts'
import type { TestBed } from '../../test-bed/test-bed.ts'

/** So many orders are asked for in one statement. */
const ASKED = 32

const FEW = 1_000_000
const MANY = 10_000_000

const ACQUIRER = '1020000000000000001'

/** Look-ups before the first round: the orders of the smaller archive are in memory then. */
const WARMING_LOOK_UPS = 2_000

/** Compares look-ups in a large archive with those in a small one, in one server by turns. */
export async function archiveLookUps(testBed: TestBed): Promise<Benchmark> {
  await using stack = new AsyncDisposableStack()
  const { rounds, seconds, short } = testBed.plan
  const postgres = await postgresFor(testBed, stack)
  const sizes = [FEW, MANY].map((orders) => (short ? orders / 10 : orders))
  const archives: Filled[] = []
  for (const orders of sizes) {
    testBed.say(`archiving ${orders.toLocaleString('en-US')} orders`)
    archives.push(await fill(postgres.url, orders, stack))
  }
  for (const one of archives) for (let n = 0; n < WARMING_LOOK_UPS; n += 1) await lookUp(one)
  const p50s: number[][] = sizes.map(() => [])
  const p99s: number[][] = sizes.map(() => [])
  for (let round = 1; round <= rounds; round += 1)
    for (const [i, one] of archives.entries()) {
      const sorted = await timeLookUps(one, seconds)
      p50s[i]?.push(quantile(sorted, 0.5))
      p99s[i]?.push(quantile(sorted, 0.99))
      testBed.say(`${one.orders} orders, round ${round}: p50 ${p50s[i]?.at(-1)?.toFixed(2)} ms`)
    }
  const ratios = ([few = [], many = []]: number[][]) =>
    roundsOf(many.map((ms, i) => ms / (few[i] ?? Number.NaN)))
  const named = archives.map(({ orders }) => `${orders.toLocaleString('en-US')} orders`)
  return {
    name: 'archive-look-ups',
    title: `A look-up of ${ASKED} orders anywhere in the archive`,
    metrics: [
      {
        what: `p50 with ${named[1]} over ${named[0]}`,
        unit: '×',
        rounds: ratios(p50s),
        must: { atMost: 1.5 },
      },
      { what: 'p99 likewise', unit: '×', rounds: ratios(p99s) },
      ...named.map((what, i) => ({
        what: `${what}, p50`,
        unit: 'ms',
        rounds: roundsOf(p50s[i] ?? []),
      })),
      ...named.map((what, i) => ({
        what: `${what}, p99`,
        unit: 'ms',
        rounds: roundsOf(p99s[i] ?? []),
      })),
    ],
  }
}

type Filled = { archive: Archive; id: string; orders: number }

/** Makes a database with so many orders, as if they had been copied long ago. */
async function fill(url: string, orders: number, stack: AsyncDisposableStack): Promise<Filled> {
  const name = `orders_${orders}`
  await run(url, [`CREATE DATABASE ${name}`])
  const own = new URL(url)
  own.pathname = name
  await migrate(own.href)
  await run(own.href, fillTexts(orders))
  const archive = openArchive({ url: own.href, connectionsMax: 1 })
  stack.defer(archive.close)
  const id = randomUUID()
  await archive.register(id, 1)
  return { archive, id, orders }
}

async function run(connectionString: string, statements: string[]): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    for (const text of statements) await client.query(text)
  } finally {
    await client.end()
  }
}

/** Look-ups use none of the other indexes, which take longest to fill. */
const fillTexts = (orders: number): string[] => [
  'DROP INDEX orders_payment_request_id, orders_concluded_at',
  `INSERT INTO orders (acquirer_id, payment_id, payment_request_id, terms, outcome, psp_id,
     client_id, merchant_id, claimed_at, concluded_at, shard, version)
   SELECT '${ACQUIRER}', '2010' || lpad(at::text, 28, '0'), gen_random_uuid()::text,
     '100 CNY 100 CNY ', 'SUCCESS', '${ACQUIRER}', 'SANDBOX_5Y00000000000001',
     'M' || lpad((at % 1000)::text, 11, '0'), now(), now(), 0, 1
   FROM generate_series(0, ${orders - 1}) AS at`,
  'VACUUM (ANALYZE) orders',
  'CHECKPOINT',
]

/** @throws if an order is not found */
async function lookUp({ archive, id, orders }: Filled): Promise<void> {
  const names = Array.from({ length: ASKED }, () => ({
    acquirerId: ACQUIRER,
    paymentId: `2010${String(randomInt(orders)).padStart(28, '0')}`,
  }))
  const { found } = await archive.lookUp({ archiveId: id, shard: 0 }, names)
  const asked = new Set(names.map(({ paymentId }) => paymentId)).size
  if (new Set(found.map(({ paymentId }) => paymentId)).size !== asked)
    throw new Error(`${found.length} of ${asked} orders were found`)
}

/** Looks up one after the other for so long (s). Returns how long each took (ms), sorted. */
async function timeLookUps(filled: Filled, seconds: number): Promise<Float64Array> {
  const latencies = new Latencies()
  const until = performance.now() + 1_000 * seconds
  while (performance.now() < until) {
    const begunAt = performance.now()
    await lookUp(filled)
    latencies.record(performance.now() - begunAt)
  }
  return latencies.take()
}
