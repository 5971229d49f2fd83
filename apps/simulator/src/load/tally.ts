import type { ParsedAnswer } from '../client/read-answer.ts'
import type { RequestResult } from './load-connection.ts'
import { type LoadKind, loadKinds } from './mix.ts'
import { corrected, percentileOf, percentileRanks } from './percentiles.ts'

/** The result status of a request's answer, or LOST without one. */
export const answerStatuses = ['S', 'F', 'U', 'LOST'] as const
export type AnswerStatus = (typeof answerStatuses)[number]

/** How often a code was answered. A lost request counts under its reason. */
export type CodeCount = {
  code: string
  status: AnswerStatus
  total: number
  byKind: Record<LoadKind, number>
}

/** Latencies in ms by the percentiles of `percentileRanks`; null when there were none. */
export type Latency = Record<string, number | null>

/** An interval of the run. Latencies in ms, as measured; null when nothing was answered or lost. */
export type Bucket = {
  fromS: number
  count: Record<AnswerStatus, number>
  p50: number | null
  p99: number | null
  max: number | null
}

/** The most points of a plot. */
const BUCKETS_MAX = 120

type Entry = {
  atMs: number
  latencyMs: number
  kind: LoadKind
  status: AnswerStatus
  code: string
}

/** Counts answers and lost requests. */
export class AnswerTally {
  readonly #entries: Entry[] = []
  readonly #startedAt: number

  /** `startedAt` on the clock of performance.now(). */
  constructor(startedAt = performance.now()) {
    this.#startedAt = startedAt
  }

  get sent(): number {
    return this.#entries.length
  }

  add({ request, latencyMs, kind }: RequestResult, parsed: ParsedAnswer): void {
    const atMs = performance.now() - this.#startedAt
    const code =
      parsed.kind === 'NOTHING' && kind === 'DROPPED' ? 'connection lost' : codeOf(parsed)
    this.#entries.push({ atMs, latencyMs, kind: request.kind, status: statusOf(parsed), code })
  }

  /** How many requests of these kinds have each status. */
  statuses(of: readonly LoadKind[] = loadKinds): Record<AnswerStatus, number> {
    const count = noStatuses()
    for (const { kind, status } of this.#entries) if (of.includes(kind)) count[status] += 1
    return count
  }

  /** Answers by code, the most frequent first. */
  codes(): CodeCount[] {
    const codes = new Map<string, CodeCount>()
    for (const { code, status, kind } of this.#entries) {
      const count = codes.get(code) ?? {
        code,
        status,
        total: 0,
        byKind: { new: 0, repeat: 0, inconsistent: 0, inquiry: 0 },
      }
      count.total += 1
      count.byKind[kind] += 1
      codes.set(code, count)
    }
    return [...codes.values()].sort((a, b) => b.total - a.total)
  }

  /** Latency of all requests, lost ones included; corrected for an interval, see `corrected`. */
  latency(intervalMs = Number.POSITIVE_INFINITY): Latency {
    const sorted = corrected(
      this.#entries.map(({ latencyMs }) => latencyMs),
      intervalMs,
    )
    return Object.fromEntries(
      percentileRanks.map((rank) => [percentileName(rank), orNull(percentileOf(sorted, rank))]),
    )
  }

  /** The run in intervals of equal length, in whole seconds. */
  series(): { bucketS: number; buckets: Bucket[] } {
    const lastMs = this.#entries.reduce((last, { atMs }) => Math.max(last, atMs), 0)
    const bucketS = Math.max(1, Math.ceil(lastMs / 1000 / BUCKETS_MAX))
    const grouped = Map.groupBy(this.#entries, ({ atMs }) => Math.floor(atMs / 1000 / bucketS))
    const buckets = Array.from({ length: Math.floor(lastMs / 1000 / bucketS) + 1 }, (_, at) =>
      bucketOf(at * bucketS, grouped.get(at) ?? []),
    )
    return { bucketS, buckets }
  }
}

function bucketOf(fromS: number, entries: readonly Entry[]): Bucket {
  const count = noStatuses()
  for (const { status } of entries) count[status] += 1
  const sorted = Float64Array.from(entries, ({ latencyMs }) => latencyMs).sort()
  const [p50, p99, max] = [50, 99, 100].map((rank) => orNull(percentileOf(sorted, rank)))
  return { fromS, count, p50: p50 ?? null, p99: p99 ?? null, max: max ?? null }
}

const noStatuses = (): Record<AnswerStatus, number> => ({ S: 0, F: 0, U: 0, LOST: 0 })
export const percentileName = (rank: number): string => (rank === 100 ? 'max' : `p${rank}`)
const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value)

function statusOf(parsed: ParsedAnswer): AnswerStatus {
  if (parsed.kind === 'NOTHING') return parsed.status ?? 'LOST'
  return parsed.kind === 'NO_ORDER' ? 'F' : parsed.status
}

function codeOf(parsed: ParsedAnswer): string {
  if (parsed.kind === 'NOTHING') return parsed.reason
  return parsed.kind === 'NO_ORDER' ? 'ORDER_NOT_EXIST' : parsed.code
}
