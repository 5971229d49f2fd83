import { setImmediate } from 'node:timers/promises'
import {
  type DeferredList,
  NotReplicated,
  type OrderGroup,
  type OrderId,
  type OrderInJob,
  TooLate,
} from '@placeorder/store'
import { abandonIfOverdue } from './abandon.ts'
import { CheckFault } from './checks/guard.ts'
import { decidePart } from './decide-part.ts'
import { isDeadly, isIsolated } from './isolation/stalls.ts'
import type { ProcessDeps } from './process-deps.ts'
import type { Undecidable } from './verdict.ts'

/**
 * A larger group is decided in parts, so that Redis works on one part while the next is judged.
 * Measured with 64 orders in flight: a twentieth more orders a second than in one part; parts half
 * as large gain nothing.
 */
const PART_ORDERS_MAX = 32

/**
 * An order that made its group fail is retried alone after this time (ms), then after twice as
 * long, and so on.
 */
const ALONE_MS = 500

/**
 * Decides the orders of one job: fetches what they need, judges each of them, reserves the limits
 * of those that passed, and concludes them. Each order is judged and retried on its own; those that
 * can be concluded do not wait for the rest.
 */
export async function processGroup(group: OrderGroup, deps: ProcessDeps): Promise<void> {
  deps.observer.taken(group)
  const orderIds = [...new Set(group.orderIds)]
  if (isDeadly(group)) {
    await endOrDefer(group, orderIds, new Error('workers died while they had it in flight'), deps)
    return
  }
  if (isIsolated(group)) {
    for (const orderId of orderIds) await processPart(group, [orderId], deps)
    return
  }
  const parts = partsOf(orderIds).map(async (part, before) => {
    // By then the parts before it have been sent.
    for (let n = 0; n < before; n += 1) await setImmediate()
    await processPart(group, part, deps)
  })
  for (const part of await Promise.allSettled(parts))
    if (part.status === 'rejected') throw part.reason
}

/** Decides some orders of a group, and defers those that cannot be decided now. */
async function processPart(
  group: OrderGroup,
  orderIds: OrderId[],
  deps: ProcessDeps,
): Promise<void> {
  try {
    await defer(group, await decidePart(group, orderIds, deps), deps)
  } catch (reason) {
    // No single order is the cause: all of them are processed again.
    if (reason instanceof TooLate || reason instanceof NotReplicated) throw reason
    await separate(group, orderIds, reason, deps)
  }
}

/**
 * Any one of them may be the cause of the failure, so each is retried alone, until it is abandoned.
 */
async function separate(
  group: OrderGroup,
  orderIds: OrderId[],
  reason: unknown,
  deps: ProcessDeps,
): Promise<void> {
  if (isAlone(group) || isIsolated(group)) return endOrDefer(group, orderIds, reason, deps)
  const { store, observer } = deps
  const open = await stillOpen(group, orderIds, deps)
  for (const orderId of open) observer.undecided(orderId, reason, group)
  await store.requeue.postpone(group.shard, answerable(group, open), ALONE_MS)
}

/** Abandons those that are overdue. The others are retried, each alone as it is now. */
async function endOrDefer(
  group: OrderGroup,
  orderIds: OrderId[],
  reason: unknown,
  deps: ProcessDeps,
): Promise<void> {
  const openAsOf = await deps.store.usage.time()
  const undecided: Undecidable[] = []
  for (const orderId of await stillOpen(group, orderIds, deps)) {
    const ended = await abandonIfOverdue(group, { orderId, openAsOf, reason }, deps)
    if (!ended) undecided.push({ orderId, reason })
  }
  // Its job runs again after BullMQ's back-off.
  if (undecided.length > 0 && !isIsolated(group)) throw reason
  await defer(group, undecided, deps)
}

/** Whether its job has only this order. */
const isAlone = ({ orderIds, joined }: OrderGroup): boolean => orderIds.length === 1 && !joined

/** As few parts as possible, of about equal size. */
function partsOf(orderIds: OrderId[]): OrderId[][] {
  const parts = Math.ceil(orderIds.length / PART_ORDERS_MAX)
  const size = Math.ceil(orderIds.length / parts)
  return Array.from({ length: parts }, (_, n) => orderIds.slice(n * size, (n + 1) * size))
}

/** The orders that still belong to the job: a concluded order names no job. */
async function stillOpen(
  { shard, jobId }: OrderGroup,
  orderIds: OrderId[],
  { store }: ProcessDeps,
): Promise<OrderId[]> {
  const jobIds = await store.orders.jobsOf(shard, orderIds)
  return orderIds.filter((_, i) => jobIds[i] === jobId)
}

/** The orders, each with its job and trace. */
const answerable = ({ jobId, traces }: OrderGroup, orderIds: OrderId[]): OrderInJob[] =>
  orderIds.map((orderId) => ({ orderId, jobId, trace: traces?.[orderId] }))

/** Moves orders that cannot be decided now from their group to the list where they wait. */
async function defer(
  group: OrderGroup,
  undecided: Undecidable[],
  { store, observer, decideWithinMs }: ProcessDeps,
): Promise<void> {
  const lists = Map.groupBy(undecided, ({ reason }) => listFor(group, reason))
  for (const [list, orders] of lists) {
    for (const { orderId, reason } of orders) observer.undecided(orderId, reason, group)
    const orderIds = orders.map(({ orderId }) => orderId)
    await store.deferral.defer(group.shard, list, answerable(group, orderIds), decideWithinMs)
  }
}

function listFor(group: OrderGroup, reason: unknown): DeferredList {
  if (isIsolated(group)) return 'isolated'
  if (reason instanceof CheckFault && reason.circuit !== undefined) return `check:${reason.circuit}`
  return 'later'
}
