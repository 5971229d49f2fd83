import { setTimeout as wait } from 'node:timers/promises'
import type { WorkerStore } from '@placeorder/store'
import type { Rulebook } from './judge-order.ts'

export type ResumeDeps = {
  store: { deferral: Pick<WorkerStore['deferral'], 'resume'> }
  shards: number
  rulebook: () => Pick<Rulebook, 'checks'>
  decideWithinMs: number
  /** Resolves once Redis may be used: no order is revived that an older state of it has. */
  passed: (signal: AbortSignal) => Promise<void>
  onFault: (error: unknown) => void
}

/** The time between rounds, plus or minus a fifth; the workers share the rounds of each shard. */
const ROUND_MS = 500

/** Resumes deferred orders, round after round until `signal` aborts. */
export async function keepResuming(deps: ResumeDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await wait(ROUND_MS * (0.8 + 0.4 * Math.random()), undefined, { signal }).catch(() => {})
    await deps.passed(signal).catch(() => {})
    if (!signal.aborted) await resumeRound(deps).catch(deps.onFault)
  }
}

/** One round over all shards. A check that the policy no longer has counts as closed. */
export async function resumeRound({
  store,
  shards,
  rulebook,
  decideWithinMs,
}: Omit<ResumeDeps, 'onFault' | 'passed'>): Promise<void> {
  const isOpen = (circuit: string) =>
    rulebook().checks.some((check) => check.isOpen?.(circuit) ?? false)
  for (let shard = 0; shard < shards; shard += 1)
    await store.deferral.resume(shard, { decideWithinMs, isOpen })
}
