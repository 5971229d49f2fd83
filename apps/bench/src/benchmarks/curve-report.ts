import { chartsSvg } from '../report/line-chart.ts'
import { digits } from '../report/markdown.ts'
import { median } from '../statistics.ts'
import { coreShareOf, type Sample } from '../test-bed/measure.ts'
import { type Curve, type Load, labelOf } from './curve-rounds.ts'
import { commandsNote } from './rounds.ts'

type Figure = (sample: Sample) => number

/** What all systems are compared by. */
const COMPARED: Record<string, Figure> = {
  'Orders a second': ({ perSecond }) => perSecond,
  'p50, ms': ({ p50 }) => p50,
  'p99, ms': ({ p99 }) => p99,
}

/** What is reported of each system. */
const FIGURES: Record<string, Figure> = {
  'orders/s': ({ perSecond }) => perSecond,
  'p50, ms': ({ p50 }) => p50,
  'p99, ms': ({ p99 }) => p99,
  'CPU, µs: server': ({ cpuUs }) => cpuUs.ingress ?? cpuUs.server ?? Number.NaN,
  worker: ({ cpuUs }) => cpuUs.worker ?? Number.NaN,
  Redis: ({ cpuUs }) => cpuUs.redis ?? Number.NaN,
  'load generator': ({ cpuUs }) => cpuUs.driver ?? Number.NaN,
  'cores in use, %': (sample) => 100 * coreShareOf(sample),
  'Redis commands': ({ commands }) => commands || Number.NaN,
  syncs: ({ syncs }) => syncs,
}

const defined = (samples: readonly (Sample | undefined)[]): Sample[] =>
  samples.filter((sample) => sample !== undefined)

const systemsOf = (curve: Curve): string[] => [...([...curve.values()][0]?.keys() ?? [])]

/** The median of the rounds in which all orders were placed. */
const medianAt = (curve: Curve, load: Load, system: string, figure: Figure): number =>
  median(defined(curve.get(load)?.get(system) ?? []).map(figure))

/** All systems beside each other, then each with what an order takes of it. */
export function tablesOf(curve: Curve): string[] {
  const systems = systemsOf(curve)
  const loads = [...curve.keys()]
  const compared = Object.entries(COMPARED).map(([title, figure]) =>
    tableOf([title, ...systems], loads, (load) =>
      systems.map((system) => medianAt(curve, load, system, figure)),
    ),
  )
  const each = systems.map((system) =>
    tableOf([`${system}, an order`, ...Object.keys(FIGURES)], loads, (load) =>
      Object.values(FIGURES).map((figure) => medianAt(curve, load, system, figure)),
    ),
  )
  return [...compared, ...each].flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
}

function tableOf(
  heads: readonly string[],
  loads: readonly Load[],
  valuesOf: (load: Load) => number[],
): string[] {
  const cell = (value: number) => (Number.isNaN(value) ? '' : digits(value))
  return [
    `| ${heads.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(heads.length - 1)}`,
    ...loads.map((load) => `| ${labelOf(load)} | ${valuesOf(load).map(cell).join(' | ')} |`),
  ]
}

/** Which commands Redis runs for an order, at the first point. */
export function commandNotes(curve: Curve): string[] {
  const [first] = [...curve]
  if (first === undefined) return []
  const [load, bySystem] = first
  return [...bySystem].flatMap(([system, samples]) => {
    const measured = defined(samples)
    return (measured.at(-1)?.commands ?? 0) > 0
      ? [`${labelOf(load)}: ${commandsNote(system, measured)}`]
      : []
  })
}

/** Latency and throughput over orders in flight. */
export function plotOf(curve: Curve): string {
  const lines = (figure: Figure) =>
    systemsOf(curve).map((system) => ({
      name: system,
      points: [...curve.keys()].flatMap((load) => {
        const value = medianAt(curve, load, system, figure)
        return 'inFlight' in load && !Number.isNaN(value) ? [[load.inFlight, value] as const] : []
      }),
    }))
  return chartsSvg([
    { title: 'p50, ms', xLabel: 'orders in flight', lines: lines(({ p50 }) => p50) },
    { title: 'orders a second', xLabel: 'orders in flight', lines: lines((one) => one.perSecond) },
  ])
}
