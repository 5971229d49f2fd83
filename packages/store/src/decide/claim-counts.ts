import { type RecentCounter, recentCounters } from '@placeorder/decision/facts'
import { z } from 'zod'
import type { LookupIds } from '../orders/lookup-ids.ts'
import { readable } from '../redis/readable.ts'
import type { CountPlan, RecentOrders } from './recent-orders.ts'

// Counting by the claim
//
// Where one node holds all keys, the claim of a group that joins a job counts its orders as recent
// orders in the same step, and appends the counts to the group. Then the look-up of the job's
// worker writes nothing, so it does not wait for a sync; and each order sees all that were claimed
// before it.
//
// - The ingress does not read the policy. A worker that counts orders itself, as it does for each
//   job's own group, leaves the counters of its policy in Redis, at `recentUsedKey`, for a minute.
//   A claim returns them, and the next one uses them.
// - A worker counts again if its policy reads other counters, or if some of the group's orders were
//   not new. Counting an order twice changes nothing.

/** The claim time of the next claim is at most this much (ms) after that of the last one. */
const NEXT_MS_MAX = 5_000

/** The counters that a policy reads, as workers leave them in Redis. */
export const usedText = (used: readonly RecentCounter[]): string => JSON.stringify(used)

/** The counts that a claim returns and appends to its group. */
export const countsIn = (text: string): number[] => text.split(' ').map(Number)

type LastClaim = { used: readonly RecentCounter[]; text: string; at: number; notedAt: number }

/** Plans what claims count. */
export class ClaimCounts {
  readonly #recent: RecentOrders
  /** By shard. */
  readonly #last = new Map<number, LastClaim>()

  constructor(recent: RecentOrders) {
    this.#recent = recent
  }

  /**
   * What the claim of orders with these ids needs to count them. Undefined while it is unknown
   * which counters the workers' policy reads.
   */
  plan(shard: number, subjects: LookupIds[]): (CountPlan & { used: string }) | undefined {
    const last = this.#last.get(shard)
    if (last === undefined) return undefined
    const latest = last.at + (performance.now() - last.notedAt) + NEXT_MS_MAX
    return { used: last.text, ...this.#recent.plan(subjects, last.used, latest) }
  }

  /** Notes the counters that a claim found, '' if none, and its time by Redis's clock (ms). */
  note(shard: number, text: string, at: number): void {
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
