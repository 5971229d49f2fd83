import { setTimeout as wait } from 'node:timers/promises'
import { isFinal, isResultCode, type PlaceOrderRequest } from '@placeorder/protocol'
import { connect, disconnect, Orders, orderIdOf } from '@placeorder/store'
import type { System } from '@placeorder/testkit'
import type { Callers, IngressTarget } from './callers.ts'
import type { CallContext } from './client-behaviour.ts'
import { type CallEnding, History } from './history/history.ts'
import type { Random } from './random.ts'
import { orderNumber } from './workload.ts'

/**
 * Once all faults are healed, every open order is concluded within this time (ms) without further
 * calls: a retry waits 30 s at most, and another worker takes over a killed worker's job within 7
 * s. Every ingress gives final answers by then.
 */
const CONCLUDED_MS_MAX = 45_000

/** This share of the orders that have a final answer is checked again at the end. */
const CHECKED_AGAIN_SHARE = 0.1
const CHECKS_AT_ONCE = 8

/** With no active fault, an order has a final answer after this many repeats at most. */
const REPEATS_MAX = 5

export type Recovery = {
  /** From this time on only final answers are right. */
  recoveredAt: number
  /** How long after the last fault the last open order was concluded (ms). */
  concludedAfterMs: number
  /** The orders that were still open when that took too long. */
  stillOpen: string[]
}

/**
 * Waits, without repeating any, until no order is open and every ingress gives new orders final
 * answers.
 */
export async function untilRecovered(
  { address, shards }: Pick<System, 'address' | 'shards'>,
  ingresses: readonly IngressTarget[],
  callers: Callers,
  random: Random,
): Promise<Recovery> {
  const startedAt = History.now()
  const connection = connect(address, 'patient')
  const orders = new Orders(connection, shards)
  const idsOfOpen = async () => {
    const ids = await Promise.all(
      Array.from({ length: shards }, (_, shard) => orders.open(shard, Date.now() * 2, 1_000)),
    )
    return ids.flat()
  }
  const openOrders = async () => {
    const backlogs = await Promise.all(
      Array.from({ length: shards }, (_, shard) => orders.backlog(shard)),
    )
    return backlogs.reduce((sum, { open }) => sum + open, 0)
  }
  const inTime = () => History.now() - startedAt < CONCLUDED_MS_MAX
  while (inTime() && (await openOrders()) > 0) await wait(50)
  const stillOpen = await idsOfOpen()
  const concludedAfterMs = History.now() - startedAt
  const probedFrom = History.now()
  const probing = () => History.now() - probedFrom < CONCLUDED_MS_MAX
  for (const [i, ingress] of ingresses.entries()) {
    for (let n = 0; probing(); n += 1) {
      const probe = orderNumber(0, `probe-${i}-${n}`, random).order
      if (isFinalAnswer(await callers.place(probe, ingress))) break
      await wait(200)
    }
  }
  while (probing() && (await openOrders()) > 0) await wait(50)
  await disconnect(connection)
  return { recoveredAt: History.now(), concludedAfterMs, stillOpen }
}

/** Whether a call got a final answer, be it for the order or for the call alone. */
export function isFinalAnswer(ending: CallEnding): boolean {
  if (ending.kind !== 'ANSWERED') return false
  const code = ending.orderCode ?? ending.code
  return isResultCode(code) && isFinal(code)
}

/**
 * The pause before an order is repeated (ms), then twice as long, and so on: it may have been
 * refused for overload, or the archive is not asked for a second after it was too slow.
 */
const REPEAT_MS = 200

/** Places an order, and repeats it while its answer is not final. */
export async function placeUntilFinal(
  order: PlaceOrderRequest,
  callers: Callers,
  pick: () => IngressTarget,
): Promise<void> {
  for (let n = 0; n <= REPEATS_MAX; n += 1) {
    if (isFinalAnswer(await callers.place(order, pick()))) return
    await wait(REPEAT_MS * 2 ** n)
  }
}

/**
 * Inquires and repeats every order that has no final answer yet, and some of those that have one.
 */
export async function checkAgain(
  sent: PlaceOrderRequest[],
  history: History,
  { callers, ingresses, random, signal }: CallContext & { signal: AbortSignal },
): Promise<void> {
  const known = new Set(
    history.calls.flatMap(({ orderId, ending }) => (isFinalAnswer(ending) ? [orderId] : [])),
  )
  const unchecked = sent.filter(
    (order) => !known.has(orderIdOf(order)) || random.chance(CHECKED_AGAIN_SHARE),
  )
  const next = unchecked.values()
  const checkers = Array.from({ length: CHECKS_AT_ONCE }, async () => {
    for (const order of next) {
      if (signal.aborted) return
      await callers.inquire(order, random.pick(ingresses()))
      await placeUntilFinal(order, callers, () => random.pick(ingresses()))
    }
  })
  await Promise.all(checkers)
}
