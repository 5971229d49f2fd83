import { openMetrics } from '@placeorder/telemetry'
import { expect, test } from 'vitest'
import { buildAdminServer } from './observer.ts'

const view = (taking: boolean) =>
  buildAdminServer({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('worker'),
    redis: async () => undefined,
    orders: { backlog: async () => ({ open: 0, oldest: undefined }) },
    shards: 2,
    taking: () => taking,
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
