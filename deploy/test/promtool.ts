import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** All alerts take promtool 10 s of CPU; a busy machine gives it a fraction of one (ms). */
export const PROMTOOL_MS_MAX = 300_000

/** Runs Prometheus's own checker (Debian: prometheus). Rejects with its errors. */
export const promtool = (...args: string[]) => run('promtool', args, { timeout: PROMTOOL_MS_MAX })

/** Rejects unless Prometheus can parse all expressions. */
export async function parseAll(expressions: string[]): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-promql-'))
  const rules = expressions.map((expr, at) => ({ record: `expression:${at}`, expr }))
  try {
    const file = join(dir, 'rules.json') // JSON is YAML too.
    await writeFile(file, JSON.stringify({ groups: [{ name: 'expressions', rules }] }))
    await promtool('check', 'rules', file)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Rejects unless an expression has this value after 3 minutes of these series. */
export async function evaluate(
  expr: string,
  { interval, series, value }: { interval: string; series: Record<string, string>; value: number },
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-promql-'))
  const expected = { expr, eval_time: '3m', exp_samples: [{ labels: '{}', value }] }
  const input = Object.entries(series).map(([name, values]) => ({ series: name, values }))
  const test = { interval, input_series: input, promql_expr_test: [expected] }
  try {
    const file = join(dir, 'test.json')
    await writeFile(file, JSON.stringify({ rule_files: [], tests: [test] }))
    await promtool('test', 'rules', file)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
