import type { Rounds } from '../statistics.ts'

/** What a figure must reach, and what it aims at. */
export type Bound = { atLeast: number; aim?: number } | { atMost: number; aim?: number }

/** One line of the table. */
export type Metric = {
  what: string
  unit: string
  rounds: Rounds
  must?: Bound
}

/** What one figure found, and what else was seen on the way. */
export type Benchmark = {
  name: string
  title: string
  metrics: Metric[]
  /** Lines below the table: what a figure consists of. */
  notes?: string[]
}

export type Verdict = 'reached' | 'aim reached' | 'NOT reached'

export function verdictOn({ rounds, must }: Metric): Verdict | undefined {
  if (must === undefined) return undefined
  const best = 'atLeast' in must ? must.atLeast : must.atMost
  if (!within(rounds.median, must, best)) return 'NOT reached'
  return must.aim !== undefined && within(rounds.median, must, must.aim) ? 'aim reached' : 'reached'
}

const within = (value: number, bound: Bound, limit: number): boolean =>
  'atLeast' in bound ? value >= limit : value <= limit
