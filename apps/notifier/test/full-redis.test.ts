import { randomUUID } from 'node:crypto'
import { namesOf, type OrderId } from '@placeorder/store'
import { openMetrics } from '@placeorder/telemetry'
import { aPlaceOrder } from '@placeorder/testkit'
import { expect, test, vi } from 'vitest'
import { observe } from '../src/observer.ts'
import { openEventSystem, openReceiver, secret } from './system.ts'

const { store, conclude, notify, connection } = await openEventSystem()
const within = { timeout: 30_000, interval: 50 }
const MINUTE_MS = 60_000

const outbox = '{s0}:outbox'
const orders = (count: number) => Array.from({ length: count }, () => aPlaceOrder())

/** A webhook with a receiver of its own, that reads what is concluded from now on. */
async function aWebhook(name: string) {
  const receiver = await openReceiver()
  await store.streams.open(0, name)
  return { receiver, sink: { name, type: 'webhook', url: receiver.url, secrets: [secret] } }
}

const delivers = ({ receiver }: Awaited<ReturnType<typeof aWebhook>>, orderIds: OrderId[]) =>
  vi.waitFor(() => expect([...receiver.delivered()].sort()).toEqual([...orderIds].sort()), within)

/** Appends outcomes to the outbox as if they had been concluded so many minutes ago. */
async function append(orderIds: OrderId[], minutesAgo: number): Promise<void> {
  const at = Date.now() - minutesAgo * MINUTE_MS
  for (const [n, orderId] of orderIds.entries()) {
    const { acquirerId, paymentId } = namesOf(orderId)
    await connection.xadd(outbox, `${at}-${n}`, `${acquirerId}:`, JSON.stringify([paymentId, '']))
  }
}

/** Lets a part of the memory of Redis be used, with megabytes left for what goes on. */
async function fill(part: number): Promise<void> {
  await connection.setrange('ballast', 64 * 2 ** 20, '.')
  const used = Number(/used_memory:(\d+)/.exec(await connection.info('memory'))?.[1])
  await connection.config('SET', 'maxmemory', Math.round(used / part))
}

test('a Redis that is 80 % full drops old events of a sink that is behind, no others', async () => {
  const [old, young] = [await conclude(orders(250)), await conclude(orders(10))]
  await store.states.switchOn(0, randomUUID())
  const [behind, other] = [await aWebhook('behind'), await aWebhook('other')]
  await append(old, 60)
  await append(young, 5)
  const metrics = openMetrics('notifier')
  const logged: unknown[] = []
  const log = { info: () => {}, warn: () => {}, error: (line: unknown) => void logged.push(line) }
  const observer = observe({ metrics, log, onFault: () => {} })
  await notify([other.sink], { observer })
  await delivers(other, [...old, ...young])
  expect(logged).toEqual([])
  await fill(0.85)
  await vi.waitFor(() => expect(logged).toEqual([{ sink: 'behind', events: 250 }]), within)
  await (await notify([], { observer })).stop() // It looks once more for what may be dropped.
  const fresh = await conclude(orders(5))
  await delivers(other, [...old, ...young, ...fresh])
  expect(await metrics.registry.metrics()).toMatch(
    /^placeorder_events_dropped_total\{sink="behind"\} 250$/m,
  )
  await notify([behind.sink])
  await delivers(behind, [...young, ...fresh])
  const entries = await store.outbox.read(0, 'archiver', 1_000)
  const kept = entries.flatMap(({ orderIds }) => orderIds)
  expect(kept.sort()).toEqual([...old, ...young, ...fresh].sort())
  await store.outbox.acknowledge(
    0,
    entries.map(({ id }) => id),
  )
  const made = async () => expect(await connection.xlen(outbox)).toBeLessThan(entries.length)
  await vi.waitFor(made, within)
  expect(logged).toHaveLength(1)
})
