import type { Contradiction } from './ledger.ts'
import type { Mix } from './mix.ts'
import type { JudgedObjective, Measures } from './objectives.ts'
import type { PollResults } from './poller.ts'
import type { EndReason } from './send-load.ts'
import type { AnswerStatus, Bucket, CodeCount, Latency } from './tally.ts'

/** The parameters of a run. */
export type Setup = {
  url: string
  connections: number
  /** Requests a second; null in a closed loop. */
  rate: number | null
  durationS: number
  amount: number
  mix: Mix
}

/** How many signatures of answers were verified. */
export type Signatures = { verified: number; wrong: number; unchecked: boolean }

/** A run, as `--json` prints it and the report shows it. */
export type Summary = {
  setup: Setup
  startedAt: string
  ending: EndReason
  /** From the first request to the last answer. */
  seconds: number
  sent: number
  statuses: Record<AnswerStatus, number>
  codes: CodeCount[]
  /** Latencies in ms; corrected for coordinated omission at a fixed rate, null in a closed loop. */
  latency: { measured: Latency; corrected: Latency | null }
  series: { bucketS: number; buckets: Bucket[] }
  polled: PollResults
  signatures: Signatures
  contradictions: Contradiction[]
  measures: Measures
  verdicts: JudgedObjective[]
  met: boolean
}
