import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { migrate, openArchive } from '@placeorder/archive'
import { OrderEvent } from '@placeorder/events'
import {
  connect,
  disconnect,
  openIngressStore,
  openOperatorStore,
  openWorkerStore,
  orderIdOf,
  shardOf,
} from '@placeorder/store'
import { aPlaceOrder, startProcess, testPostgres, testRedis } from '@placeorder/testkit'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { runEvents } from './command.ts'
import { readSinkFile } from './sink-file.ts'

vi.setConfig({ testTimeout: 60_000 })
const SHARDS = 2
const redis = await testRedis({ own: true })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const options = { address, shards: SHARDS, onFault: () => {} }
const open = () => openOperatorStore(options)
const [store, ingress, worker] = await Promise.all([
  open(),
  openIngressStore({ ...options, waitMs: 100 }),
  openWorkerStore(options),
])
const connection = connect(address, 'patient')
const dir = await mkdtemp(join(tmpdir(), 'placeorder-events-'))
const path = join(dir, 'events.json')
const received: OrderEvent[] = []
let answer = { status: 200, headers: {} }
const server = createServer(async (request, response) => {
  received.push(OrderEvent.parse(JSON.parse(await text(request))))
  response.writeHead(answer.status, answer.headers).end()
}).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
afterAll(async () => {
  await Promise.all([store.close(), ingress.close(), worker.close(), disconnect(connection)])
  server.closeAllConnections()
  server.close()
  await redis.close()
  await rm(dir, { recursive: true, force: true })
})

let archiveUrl: string | undefined

async function run(...args: string[]) {
  const written = { out: '', err: '' }
  const screen = (name: keyof typeof written) => ({
    write: (words: string) => {
      written[name] += words
    },
  })
  const exit = await runEvents(args, {
    open,
    openArchive: () => (archiveUrl === undefined ? undefined : openArchive({ url: archiveUrl })),
    readSinks: () => readSinkFile(path),
    out: screen('out'),
    err: screen('err'),
  })
  return { exit, ...written }
}

const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
const secrets = [`whsec_${Buffer.alloc(32, 1).toString('base64')}`]
const configure = (...sinks: object[]) => writeFile(path, JSON.stringify({ sinks }))
const webhook = (name: string, more: object = {}) => ({
  ...{ name, type: 'webhook', url, secrets },
  ...more,
})
await configure()

const orderId = orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })
const openSink = async (sink: string) => {
  for (let shard = 0; shard < SHARDS; shard += 1) await store.streams.open(shard, sink)
}

async function claimed() {
  const order = aPlaceOrder()
  await ingress.intake.accept({ order, clientId: 'C-1' }, AbortSignal.timeout(20_000))
  return order
}

async function concluded() {
  const order = await claimed()
  await worker.orders.conclude(orderIdOf(order), 'SUCCESS')
  return order
}

/** How many entries wait to be sent to a sink again. */
async function replays(sink: string): Promise<number> {
  const all = [0, 1].map(async (shard) => (await store.streams.progress(shard, sink))?.replays ?? 0)
  return (await Promise.all(all)).reduce((sum, one) => sum + one, 0)
}

/** Makes a dead letter of an order. */
async function aDeadLetter(sink: string) {
  const jobs = store.jobsOf(0, sink)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 76 * 3_600_000 })
  await jobs.add([{ id: 'job', orderId, reason: 'it answered HTTP 500' }])
  vi.useRealTimers()
  expect(await (await jobs.takeAny())?.failed('it answered HTTP 422')).toBe(true)
  return jobs
}

test.each([
  [[]],
  [['sink']],
  [['sinks', 'a']],
  [['dead']],
  [['dead', 'a', '--yes']],
  [['test', 'a', 'b']],
  [['replay', 'a']],
  [['replay', 'a', '--since', 'yesterday']],
  [['replay', 'a', '--since', '2026-03-14', '--until', '2026-03-13']],
  [['replay', 'a', '--dead', '--id', 'P-1']],
  [['replay', 'pull', '--dead']],
])('%j makes no sense', async (args) => {
  expect(await run(...args)).toMatchObject({ exit: 2, err: expect.stringContaining('events <') })
})

test.each(['deliveries', 'dead', 'remove'])('%s of a sink that is not there', async (verb) => {
  const err = expect.stringContaining('knows no sink nobody')
  expect(await run(verb, 'nobody')).toMatchObject({ exit: 1, err })
})

describe('test', () => {
  test('sends an event that no order has, as the sink is configured', async () => {
    await configure(webhook('ledger', { types: ['order.placed'] }))
    const { exit, out } = await run('test', 'ledger')
    expect([exit, out]).toEqual([0, expect.stringMatching(/^sent placeorder.test .*it was taken/)])
    const event = received.pop()
    expect(event).toMatchObject({
      type: 'placeorder.test',
      data: { result: { resultStatus: 'F' } },
    })
    expect(out).toContain(event?.id)
  })

  test.each([
    [503, {}, 'HTTP 503: notifiers would try again, and hold events back'],
    [429, { 'retry-after': '7' }, 'HTTP 429: notifiers would try again after 7 s'],
    [422, {}, 'HTTP 422: notifiers would try this event again, and send others'],
    [410, {}, 'HTTP 410: notifiers would disable the sink'],
  ])('says that a receiver answered %i, and what would follow', async (status, headers, words) => {
    await configure(webhook('ledger'))
    answer = { status, headers }
    const out = expect.stringContaining(words)
    expect(await run('test', 'ledger')).toMatchObject({ exit: 1, out })
    expect(await store.sinkStates.disabled()).toEqual(new Map())
    answer = { status: 200, headers: {} }
  })

  test('appends to a stream of Redis', async () => {
    await configure({ name: 'lake', type: 'redis-stream', url: redis.url, stream: 'lake' })
    expect(await run('test', 'lake')).toMatchObject({ exit: 0 })
    expect(await connection.xlen('lake')).toBe(1)
  })

  test('runs a module beside the file, and says what it fails of', async () => {
    const fails = `export default async () => { throw new Error('the broker is away') }`
    await writeFile(join(dir, 'to-broker.ts'), fails)
    await configure({ name: 'broker', type: 'module', module: './to-broker.ts' })
    const out = expect.stringContaining('the broker is away: notifiers would try again')
    expect(await run('test', 'broker')).toMatchObject({ exit: 1, out })
  })

  test('names the sinks of the file when it has no such sink', async () => {
    await configure(webhook('ledger'))
    const err = expect.stringContaining(`${path} has no sink till: it has ledger`)
    expect(await run('test', 'till')).toMatchObject({ exit: 1, err })
    await rm(path)
    const none = expect.stringContaining('there is no such file: set EVENTS_FILE')
    expect(await run('test', 'till')).toMatchObject({ exit: 1, err: none })
  })

  test('names what is wrong in the file', async () => {
    await configure({ name: 'ledger', type: 'webhook', url })
    await expect(run('test', 'ledger')).rejects.toThrow(/events.json: .*secrets/)
  })
})

describe('sinks', () => {
  test('says how each one stands, and what the file has besides', async () => {
    for (const name of ['closed', 'gone-from-file', 'down']) await openSink(name)
    await store.sinkStates.disable('closed', { reason: 'HTTP 410', at: 1_000, digest: 'd' })
    const orderIds = [orderId]
    await store.streams.note(1, 'down', [{ at: Date.now(), ms: 1, result: 'refused', orderIds }])
    await configure(webhook('closed'), webhook('down'), webhook('new'))
    const { exit, out } = await run('sinks')
    expect(exit).toBe(0)
    expect(out).toMatch(/^closed +nothing waits +0 +0 +0 +none yet +disabled: HTTP 410$/m)
    expect(out).toMatch(/^gone-from-file .* paused: not in .*events.json$/m)
    expect(out).toMatch(/^down .* ago: refused +failing$/m)
    expect(out).toMatch(/^new is in .*, and no notifier has begun it/m)
  })

  test('says why one cannot be opened', async () => {
    for (const name of ['weak', 'moduleless']) await openSink(name)
    const module = { name: 'moduleless', type: 'module', module: './none.ts' }
    await configure(webhook('weak', { secrets: ['whsec_short'] }), module)
    const { out } = await run('sinks')
    expect(out).toMatch(/^weak .* faulty: .*events.json: weak: secrets.0: is not whsec_/m)
    expect(out).toMatch(/^moduleless .* faulty: .*the module cannot be used: ENOENT/m)
  })

  test('does not call disabled what has been delivered to since', async () => {
    await openSink('back')
    await store.sinkStates.disable('back', { reason: 'HTTP 410', at: 1_000, digest: 'd' })
    const sent = { at: Date.now(), ms: 1, result: 'delivered', orderIds: [orderId] }
    await store.streams.note(0, 'back', [sent])
    await configure(webhook('back'))
    expect((await run('sinks')).out).toMatch(/^back .* ago: delivered$/m)
  })

  test('says in which shard something waits', async () => {
    await openSink('behind')
    const order = await concluded()
    const shard = shardOf(orderIdOf(order), SHARDS)
    const rows = (await run('sinks')).out.split('\n').filter((row) => /^behind +\d /.test(row))
    expect(rows).toEqual([expect.stringMatching(new RegExp(`^behind +${shard} +\\d`))])
  })
})

test('deliveries shows what is tried again and when, and the newest sendings', async () => {
  await openSink('lake')
  const jobs = store.jobsOf(0, 'lake')
  await jobs.add([{ id: 'job', orderId, reason: 'it answered HTTP 503', retryAfterMs: 600_000 }])
  await jobs.close()
  await store.streams.note(0, 'lake', [
    { at: Date.UTC(2026, 2, 14), ms: 7, result: 'it answered HTTP 503', orderIds: [orderId] },
  ])
  const { out } = await run('deliveries', 'lake')
  const [, since = '', next = ''] = /^A-1 +P-1 +(\S+) +1 +(\S+) +it answered/m.exec(out) ?? []
  expect(Date.parse(next) - Date.parse(since)).toBeGreaterThanOrEqual(600_000)
  expect(out).toMatch(/2026-03-14T00:00:00.000Z +7 ms +it answered HTTP 503 +P-1/)
})

describe('replay', () => {
  test('tries a dead letter again, which is shown with its reason', async () => {
    await openSink('full')
    const jobs = await aDeadLetter('full')
    expect((await run('dead', 'full')).out).toMatch(/A-1 +P-1 .* 2 +it answered HTTP 422/)
    expect((await run('replay', 'full', '--dead')).out).toBe('1 dead letters are tried again\n')
    expect(await jobs.counts()).toEqual({ waiting: 1, dead: 0 })
    await jobs.close()
  })

  test('by ids names those that are open or not there, and sends the others', async () => {
    await openSink('byid')
    const [first, second, isOpen] = [await concluded(), await concluded(), await claimed()]
    const ids = [first.paymentId, 'P-none', isOpen.paymentId, second.paymentId]
    const { exit, err } = await run('replay', 'byid', '--id', ...ids)
    expect([exit, err]).toEqual([1, expect.stringMatching(/no such order.*not decided yet/s)])
    expect(await replays('byid')).toBe(2)
  })

  test('since a time without an archive sends what Redis still keeps of it', async () => {
    await openSink('kept')
    const before = await concluded()
    const [{ concludedAt = 0 } = {}] = [await worker.orders.record(orderIdOf(before))]
    await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(concludedAt + 1))
    const since = new Date().toISOString()
    await concluded()
    await concluded()
    const { exit, out } = await run('replay', 'kept', '--since', since)
    expect([exit, out]).toEqual([0, expect.stringMatching(/^2 events that Redis still keeps/)])
    expect(await replays('kept')).toBe(2)
  })

  test('since a time has the notifiers send old events, once at a time', async () => {
    await openSink('late')
    const postgres = await testPostgres()
    await migrate(postgres.url)
    archiveUrl = postgres.url
    const args = ['replay', 'late', '--since', '2026-03-14T09:00:00Z'] as const
    expect(await run(...args)).toMatchObject({ exit: 0, out: expect.stringContaining('09:00:00') })
    const planned = await store.sinkStates.takeBacklog('late')
    expect(planned).toMatchObject({ from: Date.UTC(2026, 2, 14, 9) })
    const err = expect.stringContaining('being sent')
    expect(await run(...args)).toMatchObject({ exit: 1, err })
    const shown = /^late is being sent .* out of the archive, and is at 2026-03-14T09:00:00.000Z$/m
    expect((await run('sinks')).out).toMatch(shown)
    archiveUrl = undefined
    await postgres.close()
  })
})

test('a replayed event comes again with the id that it had', async () => {
  await configure(webhook('again'))
  const notifier = startProcess({
    name: 'notifier',
    entry: 'apps/notifier/src/main.ts',
    env: { REDIS_URL: redis.url, SHARDS: String(SHARDS), EVENTS_FILE: path, ADMIN_PORT: '0' },
  })
  await notifier.waitFor(/"notifying"/)
  const within = { timeout: 30_000, interval: 50 }
  await vi.waitFor(async () => expect(await store.streams.list(1)).toContain('again'), within)
  const { paymentId } = await concluded()
  const ids = () => received.filter(({ subject }) => subject === paymentId).map(({ id }) => id)
  await vi.waitFor(() => expect(ids()).toHaveLength(1), within)
  expect(await run('replay', 'again', '--id', paymentId)).toMatchObject({ exit: 0 })
  await vi.waitFor(() => expect(ids()).toHaveLength(2), within)
  expect(new Set(ids()).size).toBe(1)
  notifier.kill('SIGTERM')
  expect(await notifier.exited).toBe(0)
})

describe('remove', () => {
  test('does nothing to a sink that is in the file, or without --yes', async () => {
    await openSink('kept-one')
    await configure(webhook('kept-one'))
    const inFile = expect.stringContaining(`kept-one is in ${path}`)
    expect(await run('remove', 'kept-one', '--yes')).toMatchObject({ exit: 1, err: inFile })
    await configure()
    const without = expect.stringContaining('repeat the command with --yes')
    expect(await run('remove', 'kept-one')).toMatchObject({ exit: 1, err: without })
    expect(await store.streams.progress(0, 'kept-one')).toBeDefined()
  })

  test('removes a sink with all that waits for it, so that trimming goes on', async () => {
    await connection.flushall()
    const again = await open()
    for (const sink of ['stays', 'gone'])
      for (let shard = 0; shard < SHARDS; shard += 1) await again.streams.open(shard, sink)
    const append = () => again.outbox.backfill(0, [{ orderId, outcome: 'SUCCESS' }])
    await Promise.all(Array.from({ length: 300 }, append))
    await again.streams.advance(0, 'stays', (await again.streams.extent(0)).last)
    expect(await again.outbox.trim(0)).toBe(0)
    await again.streams.replay(0, 'gone', [orderId])
    await (await aDeadLetter('gone')).close()
    expect((await run('remove', 'gone', '--yes')).exit).toBe(0)
    expect(await again.outbox.trim(0)).toBeGreaterThanOrEqual(100)
    expect((await run('sinks')).out).not.toContain('gone')
    expect(await connection.keys('*gone*')).toEqual([])
    await again.close()
  })
})
