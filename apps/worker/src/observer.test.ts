import { orderIdOf } from '@placeorder/store'
import { openMetrics } from '@placeorder/telemetry'
import { expect, test } from 'vitest'
import { buildAdminServer, observe } from './observer.ts'

const view = (taking: boolean) =>
  buildAdminServer({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('worker'),
    redis: async () => undefined,
    orders: { backlog: async () => ({ open: 0, oldest: undefined }) },
    // One shard's archive is ten minutes behind, the other has none.
    outbox: {
      progress: async (shard) =>
        shard === 0 ? { entries: 7, oldest: Date.now() - 600_000 } : undefined,
    },
    shards: 2,
    taking: () => taking,
    archive: async () => undefined,
    configuration: [],
  })

test.each([
  [true, 200, {}],
  [false, 503, { jobs: 'it takes no jobs' }],
])('a worker that takes jobs (%s) is ready: HTTP %i', async (taking, status, reasons) => {
  const { app, close } = view(taking)
  const answered = await app.inject('/readyz')
  expect(answered.statusCode).toBe(status)
  expect(answered.json().reasons).toEqual(reasons)
  await close()
})

test('a worker says how far the archive is behind, also while no archiver is up', async () => {
  const { app, close } = view(true)
  const { body } = await app.inject('/metrics')
  expect(body).toMatch(/^placeorder_archive_lag_seconds 600/m)
  expect(body).toMatch(/^placeorder_outbox_entries 7$/m)
  await close()
})

test('of many orders that a newer version has decided one is logged, by its paymentId', () => {
  const lines: unknown[] = []
  const log = { info: () => {}, error: () => {}, warn: (line: unknown) => void lines.push(line) }
  const { unreadable } = observe({
    metrics: openMetrics('worker'),
    log,
    tracing: { startSpan: () => ({ traceparent: '', end: () => {} }) },
    limitUse: { note: () => {} },
  })
  const error = new Error('of a newer version')
  for (const paymentId of ['P-1', 'P-2', 'P-1'])
    unreadable(orderIdOf({ acquirerId: 'A-1', paymentId }), error)
  expect(lines).toEqual([{ acquirerId: 'A-1', paymentId: 'P-1', err: error, more: 0 }])
})
