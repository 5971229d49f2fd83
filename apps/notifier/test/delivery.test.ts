import type { ServerResponse } from 'node:http'
import { eventIdOf } from '@placeorder/events'
import { digestOf, namesOf, type OrderId, shardOf } from '@placeorder/store'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test, vi } from 'vitest'
import { openEventSystem, openReceiver, secret } from './system.ts'

const system = await openEventSystem({ shards: 2 })
const { store, conclude, notify, connection } = system

const within = { timeout: 20_000, interval: 20 }
const orders = (count: number) => Array.from({ length: count }, () => aPlaceOrder())

/** A webhook with a name and a receiver of its own. */
async function aWebhook(more: object = {}) {
  const receiver = await openReceiver()
  const name = `sink-${Math.random().toString(36).slice(2)}`
  const sink = { name, type: 'webhook', url: receiver.url, secrets: [secret], ...more }
  return { name, receiver, sink }
}

const delivers = (receiver: { delivered: () => Set<string> }, orderIds: OrderId[]) =>
  vi.waitFor(() => expect([...receiver.delivered()].sort()).toEqual([...orderIds].sort()), within)

/** Resolves once a sink needs nothing of the outboxes. */
const untilTaken = (name: string) =>
  vi.waitFor(async () => {
    for (const shard of [0, 1])
      expect((await store.streams.progress(shard, name))?.oldest).toBeUndefined()
  }, within)

/** Resolves once nobody knows any more that a sink was disabled. */
const untilForgotten = (name: string) =>
  vi.waitFor(async () => expect((await store.sinkStates.disabled()).has(name)).toBe(false), within)

async function jobsOf(name: string) {
  const all = [0, 1].map((shard) => store.jobsOf(shard, name))
  const counts = await Promise.all(all.map((jobs) => jobs.counts()))
  await Promise.all(all.map((jobs) => jobs.close()))
  return {
    waiting: counts.reduce((sum, { waiting }) => sum + waiting, 0),
    dead: counts.reduce((sum, { dead }) => sum + dead, 0),
  }
}

test('every outcome is delivered, signed, with the id that it will always have', async () => {
  const { receiver, sink } = await aWebhook()
  await notify([sink])
  const placed = aPlaceOrder()
  const [first, second] = [await conclude([placed]), await conclude(orders(1), 'RISK_REJECT a')]
  await delivers(receiver, [...first, ...second])
  expect(receiver.requests.flat()).toContainEqual(
    expect.objectContaining({
      id: eventIdOf(placed.acquirerId, placed.paymentId, 'order.placed'),
      type: 'order.placed',
      subject: placed.paymentId,
    }),
  )
  expect(receiver.requests.flat().map(({ type }) => type)).toContain('order.refused')
  expect(receiver.requests).toHaveLength(2)
})

test('nothing is sent of a shard of Redis that may be older than it was', async () => {
  const { receiver, sink } = await aWebhook()
  const believed = Promise.withResolvers<void>()
  const passed = (_: AbortSignal, shard: number) =>
    shard === 0 ? Promise.resolve() : believed.promise
  await notify([sink], { passed })
  const all = await conclude(orders(20))
  const ofShard = (shard: number) => all.filter((orderId) => shardOf(orderId, 2) === shard)
  await delivers(receiver, ofShard(0))
  believed.resolve()
  await delivers(receiver, all)
  expect(ofShard(1).length).toBeGreaterThan(0)
})

test('a sink is sent what it asks for, and nothing from before it was there', async () => {
  await conclude(orders(3))
  const { receiver, sink } = await aWebhook({ merchants: ['M-wanted'], types: ['order.placed'] })
  await notify([sink])
  const wanted = aPlaceOrder({ merchant: { referenceMerchantId: 'M-wanted' } })
  await conclude(orders(2))
  await conclude([aPlaceOrder({ merchant: wanted.merchant })], 'RISK_REJECT')
  await delivers(receiver, await conclude([wanted]))
  expect(receiver.requests).toHaveLength(1)
})

test('only a sink that asks for it is sent the code and the customer', async () => {
  const [bare, full] = [await aWebhook({ full: false }), await aWebhook({ full: true })]
  await notify([bare.sink, full.sink])
  const personal = { codeValue: '281004139999992222233', customerId: '210282129999' }
  const orderIds = await conclude([aPlaceOrder(personal)])
  for (const { receiver } of [bare, full]) await delivers(receiver, orderIds)
  expect(full.receiver.requests).toMatchObject([[{ data: personal }]])
  const text = JSON.stringify(bare.receiver.requests)
  for (const value of Object.values(personal)) expect(text).not.toContain(value)
})

test('what all sinks have been sent is not kept', async () => {
  const { receiver, sink, name } = await aWebhook()
  await notify([sink])
  await delivers(receiver, await conclude(orders(20)))
  await untilTaken(name)
})

test('a receiver that is down gets no job for each event, and all of them once back', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 503)
  const { noted } = await notify([sink])
  const orderIds = await conclude(orders(200))
  await vi.waitFor(() => expect(noted).toContain(`${name} open`), within)
  const asked = receiver.requests.length
  expect(asked).toBeLessThan(40)
  // By the second probe, what was under way when the circuit opened has ended.
  await vi.waitFor(() => expect(receiver.requests.length).toBeGreaterThan(asked + 1), within)
  const { waiting } = await jobsOf(name)
  expect(waiting).toBeLessThanOrEqual(5)
  receiver.answer(() => 200)
  await delivers(receiver, orderIds)
  expect(noted).toContain(`${name} closed`)
  await vi.waitFor(async () => expect(await jobsOf(name)).toEqual({ waiting: 0, dead: 0 }), within)
})

test('while a receiver is down, jobs that are due wait too', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 422)
  const { noted } = await notify([sink])
  const failed = await conclude(orders(10))
  await vi.waitFor(async () => expect((await jobsOf(name)).waiting).toBe(10), within)
  receiver.answer(() => 503)
  const orderIds = await conclude(orders(40))
  await vi.waitFor(() => expect(noted).toContain(`${name} open`), within)
  const all = [0, 1].map((shard) => store.jobsOf(shard, name))
  await Promise.all(all.map((jobs) => jobs.promote()))
  const asked = receiver.requests.length
  await vi.waitFor(() => expect(receiver.requests.length).toBeGreaterThan(asked + 2), within)
  await Promise.all(all.map((jobs) => jobs.close()))
  const due = [0, 1].map((shard) => connection.llen(`{s${shard}}:sink-${name}:wait`))
  const [first = 0, second = 0] = await Promise.all(due)
  expect(first + second).toBeGreaterThanOrEqual(failed.length)
  const sent = new Set(
    receiver.requests
      .slice(asked)
      .flat()
      .map(({ subject }) => subject),
  )
  expect(failed.filter((orderId) => sent.has(namesOf(orderId).paymentId))).toEqual([])
  receiver.answer(() => 200)
  await delivers(receiver, [...failed, ...orderIds])
})

test('an event that is refused is tried again alone, and holds up no other', async () => {
  const { receiver, sink, name } = await aWebhook()
  const [bad, ...good] = orders(20)
  receiver.answer(([event]) => (event?.subject === bad?.paymentId ? 422 : 200))
  const { noted } = await notify([sink])
  const [badId, ...goodIds] = await conclude([bad ?? aPlaceOrder(), ...good])
  await delivers(receiver, goodIds)
  await vi.waitFor(async () => expect((await jobsOf(name)).waiting).toBe(1), within)
  expect(noted).not.toContain(`${name} open`)
  receiver.answer(() => 200)
  await delivers(receiver, [badId ?? ('' as OrderId), ...goodIds])
})

test('a replay that fails is a job of its own beside the first', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 422)
  await notify([sink])
  const [orderId = '' as OrderId] = await conclude(orders(1))
  await vi.waitFor(async () => expect((await jobsOf(name)).waiting).toBe(1), within)
  await store.streams.replay(shardOf(orderId, 2), name, [orderId])
  await vi.waitFor(async () => expect((await jobsOf(name)).waiting).toBe(2), within)
  const jobs = store.jobsOf(shardOf(orderId, 2), name)
  const waiting = await jobs.list('waiting', 10)
  await jobs.close()
  expect(waiting.map((job) => job.orderId)).toEqual([orderId, orderId])
  const ids = waiting.map(({ id }) => id).sort()
  expect(ids).toEqual([digestOf(orderId), expect.stringMatching(`^${digestOf(orderId)}\\.`)])
})

test('a batch that is refused is sent again one by one', async () => {
  const { receiver, sink, name } = await aWebhook({ batch: 50 })
  const [bad, ...good] = orders(30)
  receiver.answer((events) =>
    events.some(({ subject }) => subject === bad?.paymentId) ? 400 : 200,
  )
  await notify([sink])
  const [, ...goodIds] = await conclude([bad ?? aPlaceOrder(), ...good])
  await delivers(receiver, goodIds)
  await vi.waitFor(async () => expect((await jobsOf(name)).waiting).toBe(1), within)
})

test('a sink that hangs delays no other', async () => {
  const [hanging, other] = [await aWebhook(), await aWebhook()]
  hanging.receiver.answer(() => () => {})
  await notify([hanging.sink, other.sink])
  await delivers(other.receiver, await conclude(orders(100)))
  expect(hanging.receiver.delivered().size).toBe(0)
  hanging.receiver.answer(() => 410)
  hanging.receiver.hangUp() // So that ending the notifier does not wait for it.
})

test('an endpoint that answers 410 is sent nothing until it is configured anew', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 410)
  const { noted, configure, notifier } = await notify([sink])
  const first = await conclude(orders(1)) // Of several, all might be under way.
  await vi.waitFor(() => expect(noted).toContain(`${name} disabled`), within)
  const asked = receiver.requests.length
  receiver.answer(() => 200)
  const second = await conclude(orders(3))
  await vi.waitFor(() => expect(notifier.runners[0]?.state).toBe('disabled'), within)
  expect(receiver.requests).toHaveLength(asked)
  await configure([{ ...sink, url: `${receiver.url}new` }])
  await delivers(receiver, [...first, ...second])
})

test('a sink that was disabled delivers when it is configured like that again', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 410)
  const { noted, configure } = await notify([sink])
  const first = await conclude(orders(1))
  await vi.waitFor(() => expect(noted).toContain(`${name} disabled`), within)
  receiver.answer(() => 200)
  await configure([{ ...sink, url: `${receiver.url}new` }])
  await untilForgotten(name)
  await configure([sink])
  await delivers(receiver, [...first, ...(await conclude(orders(3)))])
})

test('a notifier with the old file does not keep a changed sink disabled', async () => {
  const [{ receiver, sink, name }, other] = [await aWebhook(), await aWebhook()]
  const changed = { ...sink, url: other.receiver.url }
  receiver.answer(() => 410)
  const late = await notify([sink])
  const orderIds = await conclude(orders(1))
  const timesDisabled = () => late.noted.filter((line) => line === `${name} disabled`).length
  await vi.waitFor(() => expect(timesDisabled()).toBe(1), within)
  await notify([changed])
  await vi.waitFor(() => expect(timesDisabled()).toBe(2), within)
  await late.configure([changed])
  await delivers(other.receiver, orderIds)
  await untilForgotten(name)
})

test('Retry-After is obeyed', async () => {
  const { receiver, sink, name } = await aWebhook()
  let limited = true
  receiver.answer(() =>
    limited
      ? (_request, response) => void response.writeHead(429, { 'retry-after': '3' }).end()
      : 200,
  )
  const { noted } = await notify([sink])
  const orderIds = await conclude(orders(1))
  await vi.waitFor(() => expect(noted).toContain(`${name} open`), within)
  limited = false
  const begun = performance.now()
  await delivers(receiver, orderIds)
  expect(performance.now() - begun).toBeGreaterThan(2_000)
})

test('an order whose record cannot be read is tried again, and holds up no other', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 503)
  const { noted } = await notify([sink])
  await conclude(orders(30))
  await vi.waitFor(() => expect(noted).toContain(`${name} open`), within)
  const [damaged = '' as OrderId, ...good] = await conclude(orders(10))
  for (const shard of [0, 1]) await connection.del(`{s${shard}}:order:${damaged}`)
  receiver.answer(() => 200)
  await vi.waitFor(() => {
    for (const orderId of good) expect(receiver.delivered()).toContain(orderId)
  }, within)
  await vi.waitFor(async () => expect((await jobsOf(name)).waiting).toBe(1), within)
})

test('what a sink has not taken for too long is dropped, and counted', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 503)
  const first = await notify([sink])
  await conclude(orders(40))
  await vi.waitFor(() => expect(first.noted).toContain(`${name} open`), within)
  await first.stop()
  const { noted } = await notify([sink], { keepMs: 0 })
  const dropped = () =>
    noted.reduce((sum, line) => sum + Number(/dropped (\d+)$/.exec(line)?.[1] ?? 0), 0)
  await vi.waitFor(() => expect(dropped()).toBeGreaterThanOrEqual(30), within)
  await untilTaken(name)
})

test('a notifier that starts while Redis is full delivers, and makes room', async () => {
  for (const shard of [0, 1])
    for (const other of await store.streams.list(shard)) await store.streams.remove(shard, other)
  const [{ receiver, sink, name }, another] = [await aWebhook(), await aWebhook()]
  await (await notify([sink])).stop()
  const orderIds: OrderId[] = []
  for (const order of orders(300)) orderIds.push(...(await conclude([order])))
  const kept = async () => (await store.streams.progress(0, name))?.entries ?? 0
  const before = await kept()
  await connection.config('SET', 'maxmemory', '1')
  const started = notify([another.sink, sink]) // The other one is new, and has to wait.
  try {
    await delivers(receiver, orderIds)
    await vi.waitFor(async () => expect(await kept()).toBeLessThan(before), within)
  } finally {
    await connection.config('SET', 'maxmemory', '0')
  }
  await started
})

test('a sink goes on when Redis loses all its data', async () => {
  const { receiver, sink, name } = await aWebhook()
  await notify([sink])
  const before = await conclude(orders(2))
  await delivers(receiver, before)
  await connection.flushall()
  await vi.waitFor(async () => {
    for (const shard of [0, 1]) expect(await store.streams.list(shard)).toContain(name)
  }, within)
  await delivers(receiver, [...before, ...(await conclude(orders(20)))])
})

test('a notifier whose clock is a year ahead drops nothing', async () => {
  const { receiver, sink, name } = await aWebhook()
  receiver.answer(() => 503)
  const { noted } = await notify([sink])
  const orderIds = await conclude(orders(20))
  await vi.waitFor(() => expect(noted).toContain(`${name} open`), within)
  const inAYear = Date.now() + 365 * 86_400_000
  for (const shard of [0, 1]) expect(await store.streams.drop(shard, name, inAYear, 60_000)).toBe(0)
  receiver.answer(() => 200)
  await delivers(receiver, orderIds)
})

test('an event is acknowledged once it is answered, and not before', async () => {
  const { receiver, sink, name } = await aWebhook()
  const held = Promise.withResolvers<ServerResponse>()
  const first = (_request: unknown, response: ServerResponse) => held.resolve(response)
  receiver.answer(() => (receiver.requests.length === 1 ? first : 204))
  const open = async () => {
    const both = await Promise.all([0, 1].map((shard) => store.streams.progress(shard, name)))
    return both.flatMap((progress) => progress?.oldest ?? [])
  }
  const untilOneIsOpen = () => vi.waitFor(async () => expect(await open()).toHaveLength(1), within)
  await notify([sink])
  await conclude(orders(8)) // One of its entries at least has several events.
  const response = await held.promise
  await untilOneIsOpen()
  const before = await open()
  await conclude(orders(8))
  await vi.waitFor(() => expect(receiver.requests).toHaveLength(16), within)
  await untilOneIsOpen()
  expect(await open()).toEqual(before)
  response.writeHead(204).end()
  await untilTaken(name)
})

test('what a notifier that died had is delivered by another', async () => {
  const { receiver, sink, name } = await aWebhook()
  for (const shard of [0, 1]) await store.streams.open(shard, name)
  const orderIds = [...(await conclude(orders(10))), ...(await conclude(orders(10)))]
  for (const shard of [0, 1]) {
    const group = store.streams.group(shard, name, 'outbox')
    const entries = await group.read('died', 100)
    await group.setIdle(
      'died',
      entries.map(({ id }) => id),
      30_000,
    )
  }
  await notify([sink])
  await delivers(receiver, orderIds)
})

test('a sink may be a stream in Redis', async () => {
  const stream = `events-${Math.random()}`
  await notify([{ name: 'lake', type: 'redis-stream', url: system.redisUrl, stream, maxLen: 1e6 }])
  const orderIds = await conclude(orders(10))
  await vi.waitFor(async () => expect(await connection.xlen(stream)).toBe(10), within)
  const texts = (await connection.xrange(stream, '-', '+')).map(([, words]) => words[5] ?? '')
  const found = texts.map((text) => JSON.parse(text).data.paymentId)
  expect(found.sort()).toEqual(orderIds.map((id) => id.split(':')[1]).sort())
})

test('a sink that is a stream in Redis keeps about as many entries as it may', async () => {
  const [stream, name] = [`events-${Math.random()}`, 'short']
  await notify([{ name, type: 'redis-stream', url: system.redisUrl, stream, maxLen: 100 }])
  await conclude(orders(500))
  await vi.waitFor(async () => {
    const added = (await connection.xinfo('STREAM', stream)) as unknown[]
    expect(added[added.indexOf('entries-added') + 1]).toBe(500)
  }, within)
  const kept = await connection.xlen(stream)
  expect(kept).toBeGreaterThanOrEqual(100)
  expect(kept).toBeLessThanOrEqual(200) // Redis drops a node at a time, of 100 entries.
})
