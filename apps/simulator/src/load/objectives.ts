/**
 * The measures of a run. Latencies in ms, corrected; shares from 0 to 1; rate in answers a second.
 */
export type Measures = {
  p50: number | null
  p95: number | null
  p99: number | null
  'p99.9': number | null
  max: number | null
  uShare: number
  fShare: number
  lostShare: number
  openShare: number
  rate: number
  contradictions: number
  wrongSignatures: number
}

/** The bound of a measure, and whether it is an upper or a lower one. */
export type Objective = { measure: keyof Measures; bound: number; side: 'AT_MOST' | 'AT_LEAST' }

/** An objective and what was measured. A value that could not be measured does not meet it. */
export type JudgedObjective = Objective & { got: number | null; met: boolean }

/** The title of each measure in reports, and its unit. */
export const measureTitles: Readonly<
  Record<keyof Measures, { title: string; unit: 'ms' | '%' | '/s' | '' }>
> = {
  p50: { title: 'latency p50', unit: 'ms' },
  p95: { title: 'latency p95', unit: 'ms' },
  p99: { title: 'latency p99', unit: 'ms' },
  'p99.9': { title: 'latency p99.9', unit: 'ms' },
  max: { title: 'latency max', unit: 'ms' },
  uShare: { title: 'share of U', unit: '%' },
  fShare: { title: 'share of F among new orders', unit: '%' },
  lostShare: { title: 'share of requests without an answer', unit: '%' },
  openShare: { title: 'share of orders that stay open', unit: '%' },
  rate: { title: 'answers', unit: '/s' },
  contradictions: { title: 'contradictions', unit: '' },
  wrongSignatures: { title: 'wrong signatures', unit: '' },
}

export function judgeObjectives(
  objectives: readonly Objective[],
  measures: Measures,
): JudgedObjective[] {
  return objectives.map((objective) => {
    const got = measures[objective.measure]
    return { ...objective, got, met: got !== null && isMet(objective, got) }
  })
}

const isMet = ({ side, bound }: Objective, got: number): boolean =>
  side === 'AT_MOST' ? got <= bound : got >= bound

/** A value with its unit. */
export function formatValue(measure: keyof Measures, value: number | null): string {
  if (value === null) return 'not measured'
  const { unit } = measureTitles[measure]
  if (unit === '%') return `${Number((value * 100).toPrecision(3))} %`
  if (unit === 'ms') return `${formatMs(value)} ms`
  return unit === '/s' ? `${Math.round(value)}/s` : `${value}`
}

/** A latency: tenths below 100 ms, whole ms above. */
export const formatMs = (value: number): string =>
  value < 100 ? value.toFixed(1) : Math.round(value).toString()
