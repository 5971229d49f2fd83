import type { Machine } from '../test-bed/machine.ts'
import { type Benchmark, type Bound, boundVerdict, type Metric } from './metric.ts'

/** Renders the whole run: a table of all bounds, then a table for each benchmark. */
export function markdownOf(machine: Machine, benchmarks: readonly Benchmark[]): string {
  return [summaryOf(machine, benchmarks), ...benchmarks.map(benchmarkText)].join('\n')
}

/** Renders the metrics that have a bound in one table, with the machine named, for the README. */
export function summaryOf(machine: Machine, benchmarks: readonly Benchmark[]): string {
  const rows = benchmarks.flatMap(({ title, metrics }) =>
    metrics.flatMap((metric) =>
      metric.must === undefined
        ? []
        : [
            `| ${title}: ${metric.what} | ${amount(metric.rounds.median, metric.unit)} | ` +
              `${boundText(metric.must, metric.unit)} | ${boundVerdict(metric)} |`,
          ],
    ),
  )
  const head = ['| metric | measured | bound | verdict |', '| --- | ---: | ---: | --- |']
  return [`${machineLine(machine)}\n`, ...head, ...rows, ''].join('\n')
}

const machineLine = ({
  cpu,
  cores,
  memoryGiB,
  node,
  redis,
  at,
  rounds,
  seconds,
}: Machine): string =>
  `Measured on ${at.slice(0, 10)} on ${cpu}, ${cores} cores, ${memoryGiB} GiB; ` +
  `Node ${node}, ${redis}; ` +
  `medians of ${rounds} alternating rounds of ${seconds} s each, with the lowest and the highest.`

function benchmarkText({ title, metrics, table = [], notes = [] }: Benchmark): string {
  const rows = metrics.map(
    (metric) =>
      `| ${metric.what} | ${amount(metric.rounds.median, metric.unit)} | ${spread(metric)} | ` +
      `${metric.must === undefined ? '' : boundText(metric.must, metric.unit)} | ` +
      `${boundVerdict(metric) ?? ''} |`,
  )
  const head = [
    '| metric | median | spread | bound | verdict |',
    '| --- | ---: | ---: | ---: | --- |',
  ]
  const tables = [rows.length > 0 ? [...head, ...rows] : [], table]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
  return [`### ${title}\n`, tables, ...notes.map((note) => `\n${note}`), ''].join('\n')
}

function spread({ rounds, unit }: Metric): string {
  return rounds.values.length === 1
    ? ''
    : `${digits(rounds.min, unit)} – ${digits(rounds.max, unit)}`
}

function boundText(bound: Bound, unit: string): string {
  const sign = 'atLeast' in bound ? '≥' : '≤'
  const limit = 'atLeast' in bound ? bound.atLeast : bound.atMost
  const aim = bound.aim === undefined ? '' : `, aim ${bound.aim}`
  return `${sign} ${limit}${aim}${unit === '' ? '' : ` ${unit}`}`
}

const amount = (value: number, unit: string): string =>
  `${digits(value, unit)}${unit === '' ? '' : ` ${unit}`}`

/** Formats three significant digits; a large number is rounded, with its thousands separated. */
export function digits(value: number, unit = ''): string {
  if (!Number.isFinite(value)) return 'none'
  if (unit === '%') return value.toFixed(2)
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}
