import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { knownMetrics, namesIn } from './known-metrics.ts'
import { PROMTOOL_MS_MAX, promtool } from './promtool.ts'

const here = join(import.meta.dirname, '../prometheus')
const Rules = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['page', 'ticket']) }),
          annotations: z.object({ summary: z.string().min(1), runbook: z.string() }),
        }),
      ),
    }),
  ),
})
const Cases = z.object({
  tests: z.array(
    z.object({
      alert_rule_test: z.array(
        z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) }),
      ),
    }),
  ),
})
const read = async (path: string) => readFile(join(here, path), 'utf8')
const alerts = Rules.parse(parse(await read('alerts.yml'))).groups.flatMap(({ rules }) => rules)
const cases = Cases.parse(parse(await read('alerts.test.yml'))).tests.flatMap(
  (one) => one.alert_rule_test,
)

test('promtool finds nothing wrong with the rules and the configuration', async () => {
  await promtool('check', 'rules', join(here, 'alerts.yml'))
  await promtool('check', 'config', join(here, 'prometheus.yml'))
})

test('each alert fires when it should, and only then', { timeout: PROMTOOL_MS_MAX }, async () => {
  const { stdout } = await promtool('test', 'rules', join(here, 'alerts.test.yml'))
  expect(stdout).toContain('SUCCESS')
})

describe.each(alerts)('$alert', ({ alert, expr, annotations }) => {
  test('has a case in which it fires, and one in which it does not', () => {
    const expected = cases.filter(({ alertname }) => alertname === alert)
    expect(expected.some(({ exp_alerts }) => exp_alerts.length > 0)).toBe(true)
    expect(expected.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true)
  })

  test('watches metrics that our processes have', async () => {
    const known = await knownMetrics()
    expect(namesIn(expr)).not.toEqual([])
    expect(namesIn(expr).filter((name) => !known.has(name))).toEqual([])
  })

  test('has an entry in the runbook', async () => {
    const [file, anchor] = annotations.runbook.split('#')
    expect(anchor).toBe(alert.toLowerCase())
    expect(await readFile(join(here, '../..', file ?? ''), 'utf8')).toMatch(
      new RegExp(`^## ${alert}$`, 'm'),
    )
  })
})
