import { openArchive } from '@placeorder/archive'
import {
  type OrderId,
  openIngressStore,
  openOperatorStore,
  openReshardStore,
  openWorkerStore,
  orderIdOf,
} from '@placeorder/store'
import { aPlaceOrder, startProcess, testPostgres, testRedis } from '@placeorder/testkit'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { type ArchiveDeps, runArchive } from './command.ts'

vi.setConfig({ testTimeout: 120_000 })
const [redis, postgres] = await Promise.all([testRedis({ own: true }), testPostgres()])
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const options = { address, shards: 1, onFault: () => {} }
const ingress = await openIngressStore({ ...options, waitMs: 100 })
const worker = await openWorkerStore(options)
afterAll(async () => {
  await Promise.all([ingress.close(), worker.close()])
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
      store: await openOperatorStore(options),
      archive: openArchive({ url: postgres.url }),
      ...where,
    }),
    out: { write: (text) => out.push(text) },
    err: { write: (text) => err.push(text) },
  }
  const exit = await runArchive(args, deps)
  return { exit, out: out.join(''), err: err.join('') }
}

async function concluded(): Promise<OrderId> {
  const order = aPlaceOrder()
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  return orderIdOf(order)
}

/** Runs an archiver until all is archived. */
async function archiveAll(): Promise<void> {
  const archiver = startProcess({
    name: 'archiver',
    entry: 'apps/archiver/src/main.ts',
    env: { REDIS_URL: redis.url, ARCHIVE_URL: postgres.url, ADMIN_PORT: '0' },
  })
  await vi.waitFor(async () => expect((await run('status')).out).toContain('all archived'), {
    timeout: 60_000,
    interval: 250,
  })
  archiver.kill('SIGTERM')
  await archiver.exited
}

test('a command refuses a database without the schema and names the cure', async () => {
  await expect(run('status')).rejects.toThrow('run npm run archive -- migrate')
})

test('migrate prints its SQL, and touches nothing', async () => {
  const { exit, out } = await run('migrate', '--print')
  expect([exit, out]).toEqual([0, expect.stringContaining('CREATE TABLE orders')])
  expect(await worker.connection.exists('{s0}:archive')).toBe(0)
})

test('orders from before migrate are backfilled, and all are verified', async () => {
  const before = await concluded()
  const { exit, out } = await run('migrate')
  expect([exit, out]).toEqual([0, expect.stringMatching(/migrated 0001.*made.*1 shards/s)])
  expect((await run('migrate')).out).toContain('the schema is up to date')
  await concluded()
  await worker.connection.hset(`{s0}:order:${before}`, 'concludedAt', Date.now() - 3_600_000)
  expect(await run('verify')).toMatchObject({ exit: 1, out: expect.stringContaining('0 orders') })
  expect((await run('backfill')).out).toMatch(/^[12] orders will be copied/)
  await archiveAll()
  expect(await run('verify')).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/^2 orders are equal, 0 differ, 0 are not archived/),
  })
  expect((await run('backfill')).out).toMatch(/^0 orders/)
})

test('verify names an order that differs, and in what', async () => {
  const orderId = await concluded()
  await archiveAll()
  await worker.connection.hset(`{s0}:order:${orderId}`, 'outcome', 'PROCESS_FAIL')
  const { exit, out } = await run('verify')
  expect([exit, out]).toEqual([1, expect.stringContaining('differs in outcome')])
  await worker.connection.hset(`{s0}:order:${orderId}`, 'outcome', 'SUCCESS')
})

test('status says that the archive is behind', async () => {
  await worker.connection.hincrby('{s0}:archive', 'committed', 1_000)
  const { exit, out } = await run('status')
  expect([exit, out]).toEqual([1, expect.stringContaining('the archive is behind')])
  await worker.connection.hincrby('{s0}:archive', 'committed', -1_000)
})

test('status names the orders that were set aside', async () => {
  await worker.connection.hset('{s0}:unarchivable', 'A:P-1', 'a reason')
  expect((await run('status')).out).toMatch(/1 orders cannot be archived.*P-1 +a reason/s)
  await worker.connection.del('{s0}:unarchivable')
})

test('an order that was set aside and is repaired is copied again by a backfill', async () => {
  const orderId = await concluded()
  await archiveAll()
  await worker.connection.hset('{s0}:unarchivable', orderId, 'a reason')
  expect((await run('backfill')).out).toMatch(/^1 orders/)
  await archiveAll()
  expect((await run('status')).out).not.toContain('cannot be archived')
})

describe('migrate refuses', () => {
  test('a Redis that knows no archive beside a database that has one', async () => {
    const kept = await worker.connection.hgetall('{s0}:archive')
    await worker.connection.del('{s0}:archive')
    const { exit, err } = await run('migrate')
    expect([exit, err]).toEqual([1, expect.stringContaining('did it lose its data?')])
    expect(await worker.connection.exists('{s0}:archive')).toBe(0)
    await worker.connection.hset('{s0}:archive', kept)
  })

  test('a database that does not have the archive of this Redis', async () => {
    const uuid = String(await worker.connection.hget('{s0}:archive', 'uuid'))
    await worker.connection.hset('{s0}:archive', 'uuid', '00000000-0000-4000-8000-000000000000')
    const { exit, err } = await run('migrate')
    expect([exit, err]).toEqual([1, expect.stringContaining('is ARCHIVE_URL right?')])
    await worker.connection.hset('{s0}:archive', 'uuid', uuid)
  })
})

test('maintain makes what is missing of the months to come, and then nothing', async () => {
  expect((await run('maintain')).out).toBe('every partition is there\n')
})

test('off notes what an archiver commits meanwhile, though it dies before it can', async () => {
  const store = await openOperatorStore(options)
  const archive = openArchive({ url: postgres.url })
  const { archiveId = '' } = (await store.states.of(0)) ?? {}
  await concluded()
  const last = (await store.outbox.from(0, '-', 1_000)).at(-1)
  const [asked, mayCommit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const redisSide = async (at = '') => {
    const [state, entry] = [await store.states.of(0), await store.outbox.entryAt(0, at)]
    asked.resolve()
    await mayCommit.promise
    return { committed: state?.needed ?? 0, entry }
  }
  const written = archive.write({ archiveId, shard: 0 }, { orders: [], last, redisSide })
  await asked.promise
  const off = run('off')
  await vi.waitFor(async () => expect((await store.states.of(0))?.isOff).toBe(true))
  mayCommit.resolve()
  await written
  expect((await off).exit).toBe(0)
  await worker.connection.xtrim('{s0}:outbox', 'MAXLEN', 0)
  expect(await run('migrate')).toMatchObject({ exit: 0 })
  await Promise.all([store.close(), archive.close()])
})

test('off appends no more within seconds, and leaves what is archived', async () => {
  expect((await run('off')).exit).toBe(0)
  const appended = async () => {
    const before = await worker.connection.xlen('{s0}:outbox')
    await concluded()
    return (await worker.connection.xlen('{s0}:outbox')) - before
  }
  await vi.waitFor(async () => expect(await appended()).toBe(0), { timeout: 5_000 })
  expect((await run('status')).out).toMatch(/^0 +off /m)
})

test.each([[[]], [['migrate', 'now']], [['status', '--print']], [['status', '--archive', 'A']]])(
  'arguments that make no sense (%j) are answered with what does',
  async (args) => {
    const { exit, err } = await run(...args)
    expect([exit, err]).toEqual([2, expect.stringContaining('archive <command>')])
  },
)
