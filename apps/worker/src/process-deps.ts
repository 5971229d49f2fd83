import type { Facts } from '@placeorder/decision'
import type { FinalCode } from '@placeorder/protocol'
import type { JudgedOrder, OrderGroup, OrderId, Outcome, WorkerStore } from '@placeorder/store'
import type { Rulebook } from './judge-order.ts'

/** What groups are processed with. */
export type ProcessDeps = {
  store: Pick<WorkerStore, 'orders' | 'lookup' | 'usage' | 'conclusion' | 'requeue' | 'deferral'>
  rulebook: () => Rulebook
  /** Judges an order where this process does not die of it. */
  judgeIsolated: (facts: Facts, rulebook: Rulebook, signal: AbortSignal) => Promise<Outcome>
  /** How long the acquirer's checks of one group may take (ms). */
  checksMs: number
  /** How long after its claim an order may stay undecided (ms). */
  decideWithinMs: number
  observer: Observer
}

/** What an operator is told of. */
export type Observer = {
  taken: (group: OrderGroup) => void
  /** How long Redis took to give what orders are judged by (ms). */
  redisAnswered: (ms: number) => void
  /** How long orders of a group were in a stage (s). */
  stage: (stage: 'decide' | 'conclude', seconds: number) => void
  /** Decisions stand, and with them what each has taken. */
  decided: (judged: JudgedOrder[]) => void
  concluded: (orderId: OrderId, outcome: FinalCode, group: OrderGroup) => void
  /** An order cannot be decided now and is tried again later. */
  undecided: (orderId: OrderId, reason: unknown, group: OrderGroup) => void
  /** What an order was decided to cannot be read here: it is left to a newer version. */
  unreadable: (orderId: OrderId, error: Error) => void
  /** An order could not be decided in all the time it had, and was concluded PROCESS_FAIL. */
  abandoned: (orderId: OrderId, reason: unknown) => void
}
