import type { RoundStatistics } from '../statistics.ts'

/** What a metric must reach, and what it aims at. */
export type Bound = { atLeast: number; aim?: number } | { atMost: number; aim?: number }

/** One line of the table. */
export type Metric = {
  what: string
  unit: string
  rounds: RoundStatistics
  must?: Bound
}

/** The result of one benchmark. */
export type Benchmark = {
  name: string
  title: string
  metrics: Metric[]
  /** A table of its own, in Markdown. */
  table?: string[]
  /** Lines below the table, such as what a metric consists of. */
  notes?: string[]
}

export type BoundVerdict = 'reached' | 'aim reached' | 'NOT reached'

export function boundVerdict({ rounds, must }: Metric): BoundVerdict | undefined {
  if (must === undefined) return undefined
  const best = 'atLeast' in must ? must.atLeast : must.atMost
  if (!within(rounds.median, must, best)) return 'NOT reached'
  return must.aim !== undefined && within(rounds.median, must, must.aim) ? 'aim reached' : 'reached'
}

const within = (value: number, bound: Bound, limit: number): boolean =>
  'atLeast' in bound ? value >= limit : value <= limit
