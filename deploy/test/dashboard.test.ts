import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dashboardText } from '../src/dashboard/dashboard.ts'
import { archivePanels, eventPanels } from '../src/dashboard/outcome-panels.ts'
import {
  decisionPanels,
  machinePanels,
  nowPanels,
  orderPanels,
  trafficPanels,
} from '../src/dashboard/panels.ts'
import { knownMetrics, namesIn } from './known-metrics.ts'
import { parseAll } from './promtool.ts'

const panels = [
  ...[nowPanels, trafficPanels, orderPanels, decisionPanels, machinePanels],
  ...[archivePanels, eventPanels],
].flat()
const expressions = panels.flatMap(({ queries }) => queries.map(([expr]) => expr))

test('the dashboard file is up to date; `npm run dashboard` writes it', async () => {
  const file = join(import.meta.dirname, '../grafana/dashboards/placeorder.json')
  expect(await readFile(file, 'utf8')).toBe(dashboardText())
})

test('Prometheus can parse every query', async () => {
  await parseAll(expressions.map((expr) => expr.replaceAll('$__rate_interval', '1m')))
  await expect(parseAll(['sum(rate('])).rejects.toThrow()
})

test('every query uses metrics that ingress and worker export', async () => {
  const known = await knownMetrics()
  const names = expressions.flatMap(namesIn)
  expect(names.filter((name) => !known.has(name))).toEqual([])
})

test.each([
  ['traffic by code', 'placeorder_answers_total', 'by (code)'],
  ['latency against its bound', 'placeorder_answer_seconds_bucket', 'histogram_quantile(0.99'],
  ['the backlog', 'placeorder_open_orders', 'max'],
  ['the oldest open order', 'placeorder_oldest_open_order_age_seconds', 'max'],
  ['limits near exhaustion', 'placeorder_limit_used_ratio', 'by (kind)'],
  ['delivery time by sink', 'placeorder_event_delivery_seconds_bucket', 'by (le, sink)'],
  ['the state of each sink', 'placeorder_sink_state', 'by (sink, state)'],
  ['dropped events', 'placeorder_events_dropped_total', 'by (sink)'],
  ['when Redis is full', 'placeorder_redis_memory_used_ratio', 'predict_linear('],
  ['Redis durability', 'placeorder_redis_durable', 'min'],
])('the dashboard shows %s', (_what, metric, how) => {
  expect(expressions.filter((expr) => expr.includes(metric) && expr.includes(how))).not.toEqual([])
})

test('each panel has a description', () => {
  expect(panels.filter(({ description }) => description === '')).toEqual([])
})
