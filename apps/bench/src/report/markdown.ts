import type { Machine } from '../test-bed/machine.ts'
import { type Benchmark, type Bound, type Metric, verdictOn } from './metric.ts'

/** The whole run as Markdown: what must be reached, then a table for each figure. */
export function markdownOf(machine: Machine, figures: readonly Benchmark[]): string {
  return [summaryOf(machine, figures), ...figures.map(figureText)].join('\n')
}

/** What must be reached, in one table, with the machine named: for the README. */
export function summaryOf(machine: Machine, figures: readonly Benchmark[]): string {
  const rows = figures.flatMap(({ title, metrics }) =>
    metrics.flatMap((finding) =>
      finding.must === undefined
        ? []
        : [
            `| ${title}: ${finding.what} | ${amount(finding.rounds.median, finding.unit)} | ` +
              `${boundText(finding.must, finding.unit)} | ${verdictOn(finding)} |`,
          ],
    ),
  )
  const head = ['| figure | measured | must reach | verdict |', '| --- | ---: | ---: | --- |']
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
  `Taken on ${at.slice(0, 10)} on ${cpu}, ${cores} cores, ${memoryGiB} GiB; Node ${node}, ${redis}; ` +
  `medians of ${rounds} alternating rounds of ${seconds} s each, with the lowest and the highest.`

function figureText({ title, metrics, notes = [] }: Benchmark): string {
  const rows = metrics.map(
    (finding) =>
      `| ${finding.what} | ${amount(finding.rounds.median, finding.unit)} | ${spread(finding)} | ` +
      `${finding.must === undefined ? '' : boundText(finding.must, finding.unit)} | ${verdictOn(finding) ?? ''} |`,
  )
  const head = [
    '| figure | median | spread | must reach | verdict |',
    '| --- | ---: | ---: | ---: | --- |',
  ]
  return [`### ${title}\n`, ...head, ...rows, ...notes.map((note) => `\n${note}`), ''].join('\n')
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

/** Three digits that say something, and no more; a large number is whole, with its thousands apart. */
function digits(value: number, unit: string): string {
  if (!Number.isFinite(value)) return 'none'
  if (unit === '%') return value.toFixed(2)
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
}
