import { openOperatorStore, orderIdOf } from '@placeorder/store'
import { testRedis } from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { runEvents } from './command.ts'

const redis = await testRedis({ own: true })
const address = { urls: [redis.url], cluster: false, sentinels: [], sentinelName: '' }
const open = () => openOperatorStore({ address, shards: 2, onFault: () => {} })
const store = await open()
afterAll(async () => {
  await store.close()
  await redis.close()
})

async function run(...args: string[]) {
  const written = { out: '', err: '' }
  const screen = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text
    },
  })
  const exit = await runEvents(args, { open, out: screen('out'), err: screen('err') })
  return { exit, ...written }
}

const orderId = orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })
const openSink = async (sink: string) => {
  for (const shard of [0, 1]) await store.streams.open(shard, sink)
}

test.each([
  [[]],
  [['sink']],
  [['sinks', 'a']],
  [['dead']],
  [['replay', 'a']],
  [['replay', 'a', '--since', 'yesterday']],
  [['replay', 'a', '--dead', '--id', 'P-1']],
])('%j makes no sense', async (args) => {
  expect(await run(...args)).toMatchObject({ exit: 2, err: expect.stringContaining('events <') })
})

test('a sink that is not there is named', async () => {
  expect(await run('dead', 'nobody')).toMatchObject({
    exit: 1,
    err: expect.stringContaining('there is no sink nobody'),
  })
})

test('sinks says how each one stands', async () => {
  await openSink('ledger')
  await store.sinkStates.disable('ledger', { reason: 'HTTP 410', at: 0, digest: 'd' })
  const { exit, out } = await run('sinks')
  expect([exit, out]).toEqual([0, expect.stringMatching(/ledger +nothing waits +0 +0 +disabled/)])
})

test('deliveries shows the newest sendings, and what became of them', async () => {
  await openSink('lake')
  await store.streams.note(0, 'lake', [
    { at: Date.UTC(2026, 2, 14), ms: 7, result: 'it answered HTTP 503', orderIds: [orderId] },
  ])
  expect((await run('deliveries', 'lake')).out).toMatch(
    /2026-03-14T00:00:00.000Z +7 ms +it answered HTTP 503 +P-1/,
  )
})

test('replay --since has the notifiers send old events, once at a time', async () => {
  await openSink('late')
  const args = ['replay', 'late', '--since', '2026-03-14T09:00:00Z'] as const
  expect(await run(...args)).toMatchObject({ exit: 0, out: expect.stringContaining('09:00:00') })
  expect(await store.sinkStates.takeBacklog('late')).toMatchObject({
    from: Date.UTC(2026, 2, 14, 9),
  })
  expect(await run(...args)).toMatchObject({ exit: 1, err: expect.stringContaining('being sent') })
})

test('an order that Redis does not have is not replayed by its id', async () => {
  await openSink('byid')
  expect(await run('replay', 'byid', '--id', 'P-none')).toMatchObject({ exit: 1 })
})

test('remove removes a sink with all that waits for it', async () => {
  await openSink('gone')
  await store.streams.replay(0, 'gone', [orderId])
  expect((await run('remove', 'gone')).exit).toBe(0)
  expect((await run('sinks')).out).not.toContain('gone')
  expect(await store.streams.progress(0, 'gone')).toBeUndefined()
})

test('a dead letter is shown with its reason, and tried again if asked for', async () => {
  await openSink('full')
  const jobs = store.jobsOf(0, 'full')
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 76 * 3_600_000 })
  await jobs.add([{ id: 'job', orderId, reason: 'it answered HTTP 500' }])
  vi.useRealTimers()
  expect(await (await jobs.takeAny())?.failed('it answered HTTP 422')).toBe(true)
  expect((await run('dead', 'full')).out).toMatch(/A-1 +P-1 .* 2 +it answered HTTP 422/)
  expect((await run('replay', 'full', '--dead')).out).toBe('1 dead letters are tried again\n')
  expect(await jobs.counts()).toEqual({ waiting: 1, dead: 0 })
  await jobs.close()
})
