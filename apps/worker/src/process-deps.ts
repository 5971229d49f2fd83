import type { Facts } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'
import type { JudgedOrder, OrderGroup, OrderId, Outcome, WorkerStore } from '@placeorder/store'
import type { Rulebook } from './judge-order.ts'

/** What groups are processed with. */
export type ProcessDeps = {
  store: Pick<WorkerStore, 'orders' | 'lookup' | 'usage' | 'conclusion' | 'requeue' | 'deferral'>
  rulebook: () => Rulebook
  /** Judges an order in another process, so that this one does not die of it. */
  judgeIsolated: (facts: Facts, rulebook: Rulebook, signal: AbortSignal) => Promise<Outcome>
  /** How long the acquirer's checks of one group may take (ms). */
  checksMs: number
  /** How long after its claim an order may stay undecided (ms). */
  decideWithinMs: number
  observer: Observer
}

/** Is notified of what happens to orders, for log, metrics and traces. */
export type Observer = {
  taken: (group: OrderGroup) => void
  /** How long Redis took to return what orders are judged by (ms). */
  redisAnswered: (ms: number) => void
  /** How long the orders of a group were in a stage (s). */
  stage: (stage: 'decide' | 'conclude', seconds: number) => void
  /** Decisions are fixed, and with them their limit uses. */
  decided: (judged: JudgedOrder[]) => void
  concluded: (orderId: OrderId, outcome: FinalCode, group: OrderGroup) => void
  /** An order cannot be decided now and is retried later. */
  undecided: (orderId: OrderId, reason: unknown, group: OrderGroup) => void
  /** What an order was decided to cannot be read here: it is left to a newer version. */
  unreadable: (orderId: OrderId, error: Error) => void
  /** An order was not decided within DECIDE_WITHIN_MS, and was concluded PROCESS_FAIL. */
  abandoned: (orderId: OrderId, reason: unknown) => void
}
