import type { Ending } from './fire.ts'
import type { Contradiction } from './ledger.ts'
import type { Mix } from './mix.ts'
import type { Measures, Verdict } from './objectives.ts'
import type { Followed } from './poller.ts'
import type { Bucket, CodeCount, Fate, Latency } from './tally.ts'

/** How the run was made. */
export type Setup = {
  url: string
  connections: number
  /** Requests a second; null in a closed loop. */
  rate: number | null
  durationS: number
  amount: number
  mix: Mix
}

/** How many signatures of answers were looked at. */
export type Signatures = { verified: number; wrong: number; unchecked: boolean }

/** All that is known of a run, as `--json` prints it and the report shows it. */
export type Summary = {
  setup: Setup
  startedAt: string
  ending: Ending
  /** From the first request to the last answer. */
  seconds: number
  sent: number
  fates: Record<Fate, number>
  codes: CodeCount[]
  /** Latencies in ms. Corrected for coordinated omission at a fixed rate; in a closed loop nothing is due. */
  latency: { measured: Latency; corrected: Latency | null }
  series: { bucketS: number; buckets: Bucket[] }
  followed: Followed
  signatures: Signatures
  contradictions: Contradiction[]
  measures: Measures
  verdicts: Verdict[]
  met: boolean
}
