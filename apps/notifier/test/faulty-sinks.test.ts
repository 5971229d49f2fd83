import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aPlaceOrder, startProcess } from '@placeorder/testkit'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { openEventSystem, openReceiver, secret } from './system.ts'

vi.setConfig({ testTimeout: 120_000 })

const { conclude, notify, redisUrl } = await openEventSystem()
const dir = await mkdtemp(join(tmpdir(), 'placeorder-faulty-sinks-'))
afterAll(() => rm(dir, { recursive: true }))
const within = { timeout: 60_000, interval: 50 }

const orders = (count: number) => Array.from({ length: count }, () => aPlaceOrder())
/** The level of a line that is an error. */
const ERROR = 50

const short = 'whsec_c2hvcnQ='

/** A webhook with a name and a receiver of its own. */
async function aWebhook() {
  const receiver = await openReceiver()
  const name = `sink-${Math.random().toString(36).slice(2)}`
  return { name, receiver, sink: { name, type: 'webhook', url: receiver.url, secrets: [secret] } }
}
type OneWebhook = Awaited<ReturnType<typeof aWebhook>>

const delivers = ({ receiver }: OneWebhook, orderIds: string[]) =>
  vi.waitFor(() => expect([...receiver.delivered()].sort()).toEqual([...orderIds].sort()), within)

test.each([
  ['whose secret is too short', { secrets: [short] }, /secrets\.0: is not whsec_/],
  ['with a private address', { url: 'https://10.0.0.1/' }, /url: 10\.0\.0\.1 is an address that/],
  ['whose module is missing', { type: 'module', module: './no.ts' }, /module cannot be used: /],
])('a sink %s waits alone, and loses nothing', async (_what, fault, reason) => {
  const [faulty, good] = [await aWebhook(), await aWebhook()]
  const { name, type, url, secrets } = faulty.sink
  const bad = 'module' in fault ? { name, ...fault } : { name, type, url, secrets, ...fault }
  const { notifier, noted, configure } = await notify([bad, good.sink])
  const orderIds = await conclude(orders(20))
  await delivers(good, orderIds)
  const runner = notifier.runners.find(({ configured }) => configured.entry.name === name)
  expect([runner?.state, runner?.why]).toEqual(['faulty', expect.stringMatching(reason)])
  expect(noted).toEqual([expect.stringMatching(reason)])
  await configure([faulty.sink, good.sink])
  await delivers(faulty, orderIds)
})

test('a sink whose new version is faulty goes on as it was, and says why', async () => {
  const [changed, other] = [await aWebhook(), await aWebhook()]
  const { notifier, noted, configure } = await notify([changed.sink])
  await configure([{ ...changed.sink, secrets: [short] }, other.sink])
  const orderIds = await conclude(orders(5))
  await delivers(changed, orderIds)
  await delivers(other, orderIds)
  expect(noted).toEqual([expect.stringMatching(`${changed.name} faulty: .*secrets.0: is not`)])
  await configure([changed.sink, other.sink])
  await vi.waitFor(() => {
    expect(notifier.runners.map(({ fault }) => fault)).toEqual([undefined, undefined])
  }, within)
})

/** Starts a notifier with a file of sinks. */
async function startNotifier(sinks: object[]) {
  const EVENTS_FILE = join(dir, 'events.json')
  await writeFile(EVENTS_FILE, JSON.stringify({ sinks }))
  const notifier = startProcess({
    name: 'notifier',
    entry: 'apps/notifier/src/main.ts',
    env: {
      ...{ REDIS_URL: redisUrl, SHARDS: '1', EVENTS_FILE },
      ...{ ADMIN_PORT: '0', ADMIN_HOST: '127.0.0.1' },
    },
  })
  onTestFinished(async () => {
    notifier.kill('SIGKILL')
    await notifier.exited
  })
  return notifier
}

test('a notifier starts with a faulty sink, and shows it wherever one looks', async () => {
  const good = await aWebhook()
  const [url, secrets] = [good.sink.url, [secret]]
  await writeFile(join(dir, 'sink.ts'), 'export const send = async () => {}')
  const notifier = await startNotifier([
    { name: 'moduleful', type: 'module', module: './sink.ts' },
    { name: 'weak', type: 'webhook', url, secrets: [short] },
    { name: good.name, type: 'webhook', url, secrets },
  ])
  const { admin } = JSON.parse(await notifier.waitFor(/"notifying"/))
  const line = JSON.parse(await notifier.waitFor(/"sink":"weak"/))
  expect(line).toMatchObject({ level: ERROR, reason: expect.stringContaining('secrets.0') })
  await vi.waitFor(async () => {
    const text = await (await fetch(`${admin}/metrics`)).text()
    for (const sink of ['moduleful', 'weak'])
      expect(text).toMatch(`placeorder_sink_state{sink="${sink}",state="faulty"} 1`)
  }, within)
  const ready = await fetch(`${admin}/readyz`)
  const { notes } = (await ready.json()) as { notes: object }
  expect([ready.status, notes]).toEqual([
    200,
    { sinks: expect.stringMatching(/moduleful: .* is not a function; .*weak: secrets\.0/) },
  ])
  await delivers(good, await conclude(orders(5)))
  await writeFile(join(dir, 'sink.ts'), 'export default async () => {}')
  await vi.waitFor(async () => {
    const text = await (await fetch(`${admin}/metrics`)).text()
    expect(text).toMatch('placeorder_sink_state{sink="moduleful",state="delivering"} 1')
    expect(text).toMatch('placeorder_configuration_faults 0')
  }, within)
  await writeFile(join(dir, 'sink.ts'), 'export default 1')
  await vi.waitFor(async () => {
    const text = await (await fetch(`${admin}/metrics`)).text()
    expect(text).toMatch('placeorder_sink_state{sink="moduleful",state="delivering"} 1')
    expect(text).toMatch('placeorder_configuration_faults 1')
  }, within)
})

test('a file that is not in order stops the start, with all its faults', async () => {
  const sink = { type: 'webhook', url: 'https://a.example/', secrets: [secret] }
  const notifier = await startNotifier([
    { name: 'one', ...sink, colour: 'red' },
    { name: 'two', ...sink, batch: 0 },
  ])
  await notifier.waitFor(/sinks\.0: .*colour/)
  await notifier.waitFor(/sinks\.1\.batch/)
  expect(await notifier.exited).toBe(1)
})
