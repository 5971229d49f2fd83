import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { maintain, migrate, openArchive } from '@placeorder/archive'
import { PlaceOrderRequest } from '@placeorder/protocol'
import { openArchiverStore, openIngressStore, openWorkerStore, orderIdOf } from '@placeorder/store'
import { outboxKey } from '@placeorder/store/keys'
import { Redis } from 'ioredis'
import { bodyAt } from '../orders/order-at.ts'
import type { Benchmark } from '../report/metric.ts'
import { roundsOf } from '../statistics.ts'
import { memoryUsageOf } from '../test-bed/memory-usage.ts'
import { postgresFor } from '../test-bed/postgres.ts'
import { startRedis } from '../test-bed/redis.ts'
import { archiverFor, type TestBed } from '../test-bed/test-bed.ts'
import { usageOf } from '../test-bed/usage-of.ts'

/** The backlog of one round. */
const ORDERS = 30_000

/** Concluded in one call, as workers do under load. */
const GROUP = 64
const GROUPS_IN_FLIGHT = 8

const POLL_MS = 10

type Round = { perSecond: number; archiverUs: number; postgresUs: number; outboxBytes: number }

/** Measures how fast one archiver copies a backlog to a PostgreSQL on the same machine. */
export async function archive(testBed: TestBed): Promise<Benchmark> {
  const { say, plan } = testBed
  await using stack = new AsyncDisposableStack()
  const copying = await openCopying(testBed, stack)
  const rounds: Round[] = []
  for (let round = 0; round <= plan.rounds; round += 1) {
    const measured = await copyBacklog(copying, round)
    say(`archive, round ${round} of ${plan.rounds}: ${Math.round(measured.perSecond)} orders/s`)
    if (round > 0) rounds.push(measured) // In the first one V8 compiles the hot code.
  }
  const of = (name: keyof Round) => roundsOf(rounds.map((one) => one[name]))
  return {
    name: 'archive',
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
  postgres: { pid: number }
  /** Concludes so many orders that there are not yet, beginning with this one. */
  conclude: (from: number, count: number) => Promise<void>
  outboxBytes: () => Promise<number>
  untilArchived: () => Promise<void>
}

async function openCopying(testBed: TestBed, stack: AsyncDisposableStack): Promise<Copying> {
  const redis = await startRedis(testBed.dir, 'archive')
  stack.defer(redis.close)
  const postgres = await postgresFor(testBed, stack)
  await migrate(postgres.url)
  await maintain(postgres.url, { requestsKeepMonths: 0, now: Date.now() })
  const options = { address: redis.address, shards: 1, onFault: () => {} }
  const ingress = await openIngressStore({ ...options, waitMs: 1_000 })
  const worker = await openWorkerStore(options)
  const store = await openArchiverStore(options)
  const database = openArchive({ url: postgres.url })
  const connection = new Redis(redis.url)
  stack.defer(async () => {
    await Promise.all([ingress.close(), worker.close(), store.close(), database.close()])
    await connection.quit()
  })
  const archiveId = randomUUID()
  await database.register(archiveId, 1)
  await store.states.switchOn(0, archiveId)
  const archiver = await archiverFor(testBed, stack, redis.address, postgres.url)
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
    postgres,
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
    outboxBytes: () => memoryUsageOf(connection, outboxKey(0)),
    untilArchived: async () => {
      while ((await store.outbox.progress(0))?.oldest !== undefined) await wait(POLL_MS)
    },
  }
}

/** Concludes orders while the archiver stands still, and has it copy them. */
async function copyBacklog(copying: Copying, round: number): Promise<Round> {
  const { archiver, postgres } = copying
  process.kill(archiver.pid, 'SIGSTOP')
  const emptyBytes = await copying.outboxBytes()
  const orders = Math.ceil(ORDERS / GROUP) * GROUP
  await copying.conclude(round * orders, orders)
  const outboxBytes = (await copying.outboxBytes()) - emptyBytes
  const before = { archiver: await cpuMsOf(archiver.pid), postgres: await cpuMsOfAll(postgres.pid) }
  const begunAt = performance.now()
  process.kill(archiver.pid, 'SIGCONT')
  await copying.untilArchived()
  const seconds = (performance.now() - begunAt) / 1_000
  const each = (ms: number) => (1_000 * ms) / orders
  return {
    perSecond: orders / seconds,
    archiverUs: each((await cpuMsOf(archiver.pid)) - before.archiver),
    postgresUs: each((await cpuMsOfAll(postgres.pid)) - before.postgres),
    outboxBytes: outboxBytes / orders,
  }
}

const cpuMsOf = async (pid: number): Promise<number> => (await usageOf(pid))?.cpuMs ?? Number.NaN

/** A server's CPU time so far, with that of the processes it has now. */
async function cpuMsOfAll(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const pids = [pid, ...children.split(' ').filter(Boolean).map(Number)]
  const used = await Promise.all(pids.map(usageOf))
  return used.reduce((sum, usage) => sum + (usage?.cpuMs ?? 0), 0)
}
