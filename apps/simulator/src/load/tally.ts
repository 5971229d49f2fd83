import type { ParsedAnswer } from '../client/read-answer.ts'
import type { Landed } from './connection.ts'
import { type Kind, kinds } from './mix.ts'
import { corrected, percentile, ranks } from './percentiles.ts'

/** What a request came to: its result status, or nothing. */
export const fates = ['S', 'F', 'U', 'LOST'] as const
export type Fate = (typeof fates)[number]

/** How often a code was the answer. What was lost has its reason for a code. */
export type CodeCount = { code: string; fate: Fate; total: number; byKind: Record<Kind, number> }

/** Latencies in ms by the percentiles of `ranks`; null when there were none. */
export type Latency = Record<string, number | null>

/** A stretch of the run. Latencies in ms, as measured; null when nothing came back. */
export type Bucket = {
  fromS: number
  count: Record<Fate, number>
  p50: number | null
  p99: number | null
  max: number | null
}

/** Points of a plot: more than these are not seen. */
const BUCKETS_MAX = 120

type Entry = { atMs: number; latencyMs: number; kind: Kind; fate: Fate; code: string }

/** Counts what came back. */
export class Tally {
  readonly #entries: Entry[] = []
  readonly #startedAt: number

  /** `startedAt` on the clock of performance.now(). */
  constructor(startedAt = performance.now()) {
    this.#startedAt = startedAt
  }

  get sent(): number {
    return this.#entries.length
  }

  add({ one, latencyMs, kind }: Landed, heard: ParsedAnswer): void {
    const atMs = performance.now() - this.#startedAt
    const code = heard.kind === 'NOTHING' && kind === 'DROPPED' ? 'connection lost' : codeOf(heard)
    this.#entries.push({ atMs, latencyMs, kind: one.kind, fate: fateOf(heard), code })
  }

  /** How many requests of these kinds came to each fate. */
  fates(of: readonly Kind[] = kinds): Record<Fate, number> {
    const count = noFates()
    for (const { kind, fate } of this.#entries) if (of.includes(kind)) count[fate] += 1
    return count
  }

  /** Answers by code, the most frequent first. */
  codes(): CodeCount[] {
    const codes = new Map<string, CodeCount>()
    for (const { code, fate, kind } of this.#entries) {
      const count = codes.get(code) ?? {
        code,
        fate,
        total: 0,
        byKind: { new: 0, repeat: 0, inconsistent: 0, inquiry: 0 },
      }
      count.total += 1
      count.byKind[kind] += 1
      codes.set(code, count)
    }
    return [...codes.values()].sort((a, b) => b.total - a.total)
  }

  /** Latency of all requests; what was lost took as long as it was waited for. Corrected for an interval, see `corrected`. */
  latency(intervalMs = Number.POSITIVE_INFINITY): Latency {
    const sorted = corrected(
      this.#entries.map(({ latencyMs }) => latencyMs),
      intervalMs,
    )
    return Object.fromEntries(ranks.map((rank) => [nameOf(rank), orNull(percentile(sorted, rank))]))
  }

  /** The run in stretches of equal length, in whole seconds. */
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
  const count = noFates()
  for (const { fate } of entries) count[fate] += 1
  const sorted = Float64Array.from(entries, ({ latencyMs }) => latencyMs).sort()
  const [p50, p99, max] = [50, 99, 100].map((rank) => orNull(percentile(sorted, rank)))
  return { fromS, count, p50: p50 ?? null, p99: p99 ?? null, max: max ?? null }
}

const noFates = (): Record<Fate, number> => ({ S: 0, F: 0, U: 0, LOST: 0 })
export const nameOf = (rank: number): string => (rank === 100 ? 'max' : `p${rank}`)
const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value)

function fateOf(heard: ParsedAnswer): Fate {
  if (heard.kind === 'NOTHING') return 'LOST'
  return heard.kind === 'NO_ORDER' ? 'F' : heard.status
}

function codeOf(heard: ParsedAnswer): string {
  if (heard.kind === 'NOTHING') return heard.reason
  return heard.kind === 'NO_ORDER' ? 'ORDER_NOT_EXIST' : heard.code
}
