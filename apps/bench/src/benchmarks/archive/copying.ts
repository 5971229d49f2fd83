import { PlaceOrderRequest } from '@placeorder/protocol'
import { openIngressStore, openWorkerStore, orderIdOf } from '@placeorder/store'
import { outboxKey } from '@placeorder/store/keys'
import { Redis } from 'ioredis'
import { bodyAt } from '../../orders/order-at.ts'
import type { Benchmark } from '../../report/metric.ts'
import { roundsOf } from '../../statistics.ts'
import { memoryUsageOf } from '../../test-bed/memory-usage.ts'
import { startRedis } from '../../test-bed/redis.ts'
import { archiverFor, type TestBed } from '../../test-bed/test-bed.ts'
import { usageOf } from '../../test-bed/usage-of.ts'
import { archiveFor, type BenchArchive } from './archived-server.ts'

/** The backlog of one round. */
const ORDERS = 30_000

/** Concluded in one call, as workers do under load. */
const GROUP = 64
const GROUPS_IN_FLIGHT = 8

type Round = { perSecond: number; archiverUs: number; postgresUs: number; outboxBytes: number }

/** Measures how fast one archiver copies a backlog to a PostgreSQL on the same machine. */
export async function archiveCopying(testBed: TestBed): Promise<Benchmark> {
  const { say, plan } = testBed
  await using stack = new AsyncDisposableStack()
  const copying = await openCopying(testBed, stack)
  const rounds: Round[] = []
  for (let round = 0; round <= plan.rounds; round += 1) {
    const measured = await copyBacklog(copying, round)
    say(`copying, round ${round} of ${plan.rounds}: ${Math.round(measured.perSecond)} orders/s`)
    if (round > 0) rounds.push(measured) // In the first one V8 compiles the hot code.
  }
  const of = (name: keyof Round) => roundsOf(rounds.map((one) => one[name]))
  return {
    name: 'archive-copying',
    title: `A backlog of ${ORDERS.toLocaleString('en-US')} orders copied by one archiver`,
    metrics: [
      {
        what: 'orders archived, one connection',
        unit: 'orders/s',
        rounds: of('perSecond'),
        must: { atLeast: 10_000 },
      },
      {
        what: 'CPU of the archiver per order',
        unit: 'µs',
        rounds: of('archiverUs'),
        must: { atMost: 60 },
      },
      { what: 'CPU of PostgreSQL per order', unit: 'µs', rounds: of('postgresUs') },
      {
        what: 'outbox per order, while it is kept',
        unit: 'B',
        rounds: of('outboxBytes'),
        must: { atMost: 55 },
      },
    ],
  }
}

type Copying = {
  archiver: { pid: number }
  archive: BenchArchive
  /** Concludes so many orders that there are not yet, beginning with this one. */
  conclude: (from: number, count: number) => Promise<void>
  outboxBytes: () => Promise<number>
}

async function openCopying(testBed: TestBed, stack: AsyncDisposableStack): Promise<Copying> {
  const redis = await startRedis(testBed.dir, 'archive')
  stack.defer(redis.close)
  const archive = await archiveFor(testBed, stack, redis.address)
  const options = { address: redis.address, shards: 1, onFault: () => {} }
  const ingress = await openIngressStore({ ...options, waitMs: 1_000 })
  const worker = await openWorkerStore(options)
  const connection = new Redis(redis.url)
  stack.defer(async () => {
    await Promise.all([ingress.close(), worker.close()])
    await connection.quit()
  })
  const env = { ARCHIVE_URL: archive.postgres.url }
  const archiver = await archiverFor(testBed, stack, redis.address, env)
  const concludeGroup = async (from: number) => {
    const orders = Array.from({ length: GROUP }, (_, i) =>
      PlaceOrderRequest.parse(JSON.parse(bodyAt(from + i))),
    )
    const signal = AbortSignal.timeout(30_000)
    const clientId = 'C-1'
    await Promise.all(orders.map((order) => ingress.intake.accept({ order, clientId }, signal)))
    const outcome = 'SUCCESS'
    const concluded = orders.map((order) => ({ orderId: orderIdOf(order), outcome }) as const)
    await worker.orders.concludeAll(0, concluded)
  }
  return {
    archiver,
    archive,
    conclude: async (from, count) => {
      let next = from
      const fill = async () => {
        for (let at = next; at < from + count; at = next) {
          next += GROUP
          await concludeGroup(at)
        }
      }
      await Promise.all(Array.from({ length: GROUPS_IN_FLIGHT }, fill))
    },
    outboxBytes: async () => (await memoryUsageOf(connection, outboxKey(0))) ?? 0,
  }
}

/** Concludes orders while the archiver stands still, and has it copy them. */
async function copyBacklog(copying: Copying, round: number): Promise<Round> {
  const { archiver, archive } = copying
  const used = async () => ({
    archiver: await cpuMsOf([archiver.pid]),
    postgres: await cpuMsOf(archive.postgres.pids()),
  })
  process.kill(archiver.pid, 'SIGSTOP')
  const emptyBytes = await copying.outboxBytes()
  const orders = Math.ceil(ORDERS / GROUP) * GROUP
  await copying.conclude(round * orders, orders)
  const outboxBytes = (await copying.outboxBytes()) - emptyBytes
  const before = await used()
  const begunAt = performance.now()
  process.kill(archiver.pid, 'SIGCONT')
  await archive.untilCopied()
  const seconds = (performance.now() - begunAt) / 1_000
  const after = await used()
  const eachUs = (name: keyof typeof after) => (1_000 * (after[name] - before[name])) / orders
  return {
    perSecond: orders / seconds,
    archiverUs: eachUs('archiver'),
    postgresUs: eachUs('postgres'),
    outboxBytes: outboxBytes / orders,
  }
}

async function cpuMsOf(pids: number[]): Promise<number> {
  const used = await Promise.all(pids.map(usageOf))
  return used.reduce((sum, usage) => sum + (usage?.cpuMs ?? 0), 0)
}
