import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { OrderId } from '@placeorder/store'
import { aPlaceOrder, startProcess } from '@placeorder/testkit'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { openEventSystem, openReceiver, secret } from './system.ts'

// What a notifier that died had is taken over after 30 s.
vi.setConfig({ testTimeout: 240_000 })

const SHARDS = 2
const { conclude, redisUrl, store } = await openEventSystem({ shards: SHARDS })
const dir = await mkdtemp(join(tmpdir(), 'placeorder-notifier-'))
afterAll(() => rm(dir, { recursive: true }))
const file = join(dir, 'events.json')
const running: ReturnType<typeof startProcess>[] = []
afterEach(async () => {
  for (const one of running) one.kill('SIGKILL')
  await Promise.all(running.splice(0).map(({ exited }) => exited))
})

const configure = (sinks: object[]) => writeFile(file, JSON.stringify({ sinks }))
const webhook = (name: string, url: string, more: object = {}) => ({
  ...{ name, type: 'webhook', url, secrets: [secret], ...more },
})

async function startNotifier() {
  const notifier = startProcess({
    name: 'notifier',
    entry: 'apps/notifier/src/main.ts',
    env: {
      REDIS_URL: redisUrl,
      SHARDS: String(SHARDS),
      EVENTS_FILE: file,
      ADMIN_PORT: '0',
      ADMIN_HOST: '127.0.0.1',
    },
  })
  running.push(notifier)
  const { admin } = JSON.parse(await notifier.waitFor(/"notifying"/))
  return { ...notifier, admin: String(admin) }
}

const orders = (count: number) => Array.from({ length: count }, () => aPlaceOrder())
const untilReading = (sink: string) =>
  vi.waitFor(
    async () => {
      for (let shard = 0; shard < SHARDS; shard += 1)
        expect(await store.streams.list(shard)).toContain(sink)
    },
    { timeout: 20_000, interval: 100 },
  )

/** Has every event tried again now that could not be delivered. */
async function makeAllDue(sink: string): Promise<void> {
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const jobs = store.jobsOf(shard, sink)
    await jobs.promote()
    await jobs.close()
  }
}

/** What a receiver does, besides answering 200, to one request in so many. */
const failures: Record<string, [every: number, answer: RequestListener | number]> = {
  refuses: [7, 500],
  hangsUp: [11, (request) => void request.socket.destroy()],
  answersHalf: [13, (request) => void request.socket.end('HTTP/1.1 20')],
  hangs: [97, () => {}],
  // A sending ends after 15 s.
  isLate: [101, (_, response) => void setTimeout(() => response.end(), 16_000).unref()],
}

/** Fails in all these ways; `shown` are those that it has. */
async function openShakyReceiver() {
  const receiver = await openReceiver()
  const shown = new Set<string>()
  let asked = 0
  receiver.answer(() => {
    asked += 1
    const failure = Object.entries(failures).find(([, [every]]) => asked % every === 0)
    if (failure === undefined) return 200
    shown.add(failure[0])
    return failure[1][1]
  })
  return { ...receiver, shown }
}

test('notifiers killed each second lose no event, whatever the receiver does', async () => {
  const [steady, shaky] = [await openReceiver(), await openShakyReceiver()]
  await configure([webhook('steady', steady.url, { batch: 20 }), webhook('shaky', shaky.url)])
  await Promise.all([startNotifier(), startNotifier()])
  await untilReading('steady')
  await untilReading('shaky')
  const concluded: OrderId[] = []
  for (let second = 0; second < 10; second += 1) {
    const over = wait(1_000)
    running.shift()?.kill('SIGKILL') // The older of two.
    const started = startNotifier()
    for (let call = 0; call < 10; call += 1) concluded.push(...(await conclude(orders(20))))
    await Promise.all([over, started])
  }
  shaky.shown.clear() // Those that live on see all of it too, and each sending to its end.
  concluded.push(...(await conclude(orders(500))))
  await vi.waitFor(() => expect([...shaky.shown].sort()).toEqual(Object.keys(failures).sort()), {
    timeout: 120_000,
  })
  shaky.answer(() => 200)
  for (const receiver of [steady, shaky])
    await vi.waitFor(
      async () => {
        await makeAllDue('shaky') // What failed often would be tried again in minutes.
        expect([...receiver.delivered()].sort()).toEqual([...concluded].sort())
      },
      { timeout: 120_000, interval: 250 },
    )
  const sent = [steady, shaky].flatMap(({ requests }) => requests.flat())
  for (const same of Map.groupBy(sent, ({ subject }) => subject).values())
    expect(new Set(same.map(({ id }) => id)).size).toBe(1)
})

test('SIGHUP makes a notifier read its sinks again, and does not end it', async () => {
  const receiver = await openReceiver()
  await configure([webhook('signalled', receiver.url)])
  const notifier = await startNotifier()
  await untilReading('signalled')
  notifier.kill('SIGHUP')
  await notifier.waitFor(/SIGHUP.*the sinks were read again/)
  const orderIds = await conclude(orders(1))
  await vi.waitFor(() => expect([...receiver.delivered()]).toEqual(orderIds), 20_000)
  expect(await Promise.race([notifier.exited, Promise.resolve('running')])).toBe('running')
})

test('a notifier that receives SIGTERM leaves nothing to be waited for', async () => {
  const receiver = await openReceiver()
  await configure([webhook('ended', receiver.url)])
  const first = await startNotifier()
  await untilReading('ended')
  const orderIds = await conclude(orders(500))
  first.kill('SIGTERM')
  expect(await first.exited).toBe(0)
  await startNotifier()
  await vi.waitFor(() => expect([...receiver.delivered()].sort()).toEqual([...orderIds].sort()), {
    timeout: 20_000,
    interval: 100,
  })
})

test('a broken new version of the file leaves the one before in force, and says why', async () => {
  const [receiver, other] = [await openReceiver(), await openReceiver()]
  await configure([webhook('kept', receiver.url)])
  const notifier = await startNotifier()
  await untilReading('kept')
  await configure([webhook('kept', other.url, { batch: 0 })])
  await notifier.waitFor(/sinks\.0\.batch: /)
  const orderIds = await conclude(orders(3))
  await vi.waitFor(() => expect([...receiver.delivered()].sort()).toEqual(orderIds.sort()), {
    timeout: 20_000,
  })
  await configure([webhook('kept', other.url)])
  await vi.waitFor(async () => {
    await conclude(orders(1))
    expect(other.delivered().size).toBeGreaterThan(0)
  }, 20_000)
})

test('a notifier says in its health and metrics how each sink stands', async () => {
  const [receiver, down] = [await openReceiver(), await openReceiver()]
  down.answer(() => 503)
  await configure([webhook('up', receiver.url), webhook('down', down.url)])
  const { admin } = await startNotifier()
  await untilReading('down')
  await conclude(orders(40))
  await vi.waitFor(
    async () => {
      const text = await (await fetch(`${admin}/metrics`)).text()
      expect(text).toMatch(/^placeorder_events_delivered_total\{sink="up"\} 40$/m)
      expect(text).toMatch(/^placeorder_sink_state\{sink="down",state="failing"\} 1$/m)
      expect(text).toMatch(/^placeorder_sink_state\{sink="up",state="delivering"\} 1$/m)
      expect(text).toMatch(/^placeorder_sink_lag_seconds\{sink="down"\} [^0]/m)
      expect(text).toMatch(/^placeorder_sink_state\{sink="kept",state="paused"\} 1$/m)
    },
    { timeout: 20_000, interval: 250 },
  )
  expect((await fetch(`${admin}/readyz`)).status).toBe(200)
})
