import { openMetrics } from '@placeorder/telemetry'
import { afterAll, expect, test } from 'vitest'
import { buildAdminServer } from '../src/observer.ts'
import { openEventSystem } from './system.ts'

const { store, conclude } = await openEventSystem()
const admin = buildAdminServer({
  host: '127.0.0.1',
  port: 0,
  metrics: openMetrics('notifier'),
  redis: async () => undefined,
  archive: async () => undefined,
  serves: false,
  store,
  shards: 1,
  keepMs: 86_400_000,
  sinks: { fault: undefined },
  runners: () => [],
})
const origin = await admin.listen()
afterAll(() => admin.close())

/** The gauges of a sink, as they are scraped. */
async function gaugesOf(sink: string): Promise<string[]> {
  const text = await (await fetch(`${origin}/metrics`)).text()
  const names = /^placeorder_(sink_lag_seconds|sink_state|events_retried|dead_letters)\{/
  return text.split('\n').filter((line) => names.test(line) && line.includes(`sink="${sink}"`))
}

test('a sink that was removed has no gauges any more', async () => {
  for (const sink of ['removed', 'kept']) await store.streams.open(0, sink)
  await conclude()
  expect(await gaugesOf('removed')).toHaveLength(8)
  expect(await gaugesOf('removed')).toContain(
    'placeorder_sink_state{sink="removed",state="paused"} 1',
  )
  await store.streams.remove(0, 'removed')
  expect(await gaugesOf('removed')).toEqual([])
  expect(await gaugesOf('kept')).toHaveLength(8)
})
