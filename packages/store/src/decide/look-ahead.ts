import { type RecentCounter, recentCounters } from '@placeorder/decision/facts'
import { z } from 'zod'
import type { Digest } from '../keys.ts'
import type { LookupIds } from '../orders/lookup-ids.ts'
import { readable } from '../redis/readable.ts'
import { recordKeys } from './directory.ts'
import type { CountPlan, RecentOrders } from './recent-orders.ts'

// What a claim looks up
//
// Where one node holds all keys, the claim of a group that joins a job looks up what the job's
// worker needs to judge its orders, in the same step: it counts them as recent orders, and appends
// the counts, the records of merchants and codes, and the orders themselves to the group. So the
// worker judges them as they come, without the round trip and the sync of a look-up of its own.
//
// - The ingress does not read the policy. A worker that looks up orders itself, as it does for each
//   job's own group, leaves the counters of its policy in Redis, at `recentUsedKey`, for a minute.
//   A claim returns them, and the next one uses them.
// - A worker looks up again what it cannot use: its policy reads other counters, the claim is no
//   longer recent, the code is for one order only, a record cannot be read, the records were too
//   long, or some of the group's orders were not new. Counting an order twice changes nothing.

/** For how long after its claim an order's facts are as good as new (ms). */
export const CURRENT_MS = 1_000

/** The claim time of the next claim is at most this much (ms) after that of the last one. */
const NEXT_MS_MAX = 5_000

/** A look-up by a claim: what its script needs, and how its reply is noted. */
export type FactsPlan = Pick<CountPlan, 'note'> & {
  used: string
  sets: string
  countKeys: string[]
  recordKeys: string[]
}

/** The counters that a policy reads, as workers leave them in Redis. */
export const usedText = (used: readonly RecentCounter[]): string => JSON.stringify(used)

/** What claims looked up last, by shard. */
type LastClaim = { used: readonly RecentCounter[]; text: string; at: number; notedAt: number }

/** Plans what claims look up. */
export class LookAhead {
  readonly #recent: RecentOrders
  readonly #shards: number
  readonly #last = new Map<number, LastClaim>()

  constructor(recent: RecentOrders, shards: number) {
    this.#recent = recent
    this.#shards = shards
  }

  /** Undefined while it is unknown which counters the workers' policy reads. */
  plan(shard: number, subjects: LookupIds[]): FactsPlan | undefined {
    const last = this.#last.get(shard)
    if (last === undefined) return undefined
    const latest = last.at + (performance.now() - last.notedAt) + NEXT_MS_MAX
    const { keys, sets, note } = this.#recent.plan(subjects, last.used, latest)
    const [merchants, codes] = distinct(subjects)
    return {
      used: last.text,
      sets,
      countKeys: keys,
      recordKeys: recordKeys(merchants, codes, this.#shards),
      note,
    }
  }

  /** Notes the counters that a claim found, '' if none, and its time by Redis's clock (ms). */
  noteClaim(shard: number, text: string, at: number): void {
    const last = this.#last.get(shard)
    const used = last?.text === text ? last.used : readUsed(text)
    if (used === undefined) this.#last.delete(shard)
    else this.#last.set(shard, { used, text, at, notedAt: performance.now() })
  }
}

const RecentUsed = z.array(z.enum(recentCounters))

/** Undefined if there are none, or a newer version wrote them. */
function readUsed(text: string): readonly RecentCounter[] | undefined {
  if (text === '') return undefined
  const used = readable(() => RecentUsed.parse(JSON.parse(text)))
  return used instanceof Error ? undefined : used
}

/** The merchants and the codes of orders, each once, in the order of a claim's records. */
export const distinct = (subjects: LookupIds[]): [merchants: string[], codes: Digest[]] => [
  [...new Set(subjects.map(({ merchant }) => merchant))],
  [...new Set(subjects.map(({ code }) => code))],
]

/** The counts that a claim's script returns and appends to the group. */
export const countsIn = (text: string): number[] => (text === '' ? [] : text.split(' ').map(Number))
