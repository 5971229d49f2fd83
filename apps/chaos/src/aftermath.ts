import { setTimeout as wait } from 'node:timers/promises'
import { isFinal, isResultCode, type PlaceOrderRequest } from '@placeorder/protocol'
import { connect, disconnect, Orders, orderIdOf } from '@placeorder/store'
import type { System } from '@placeorder/testkit'
import type { Callers, IngressTarget } from './callers.ts'
import type { Asking } from './generate-load.ts'
import { type Ending, History } from './history/history.ts'
import type { Random } from './random.ts'
import { orderNumber } from './workload.ts'

/**
 * With all healed, every open order is concluded within this time (ms) with nobody asking: a retry waits 30 s at most,
 * and a killed worker's job is taken over within 7 s. Every ingress answers well by then.
 */
const CONCLUDED_MS_MAX = 45_000

/** Of orders that have their answer, this share is asked after once more at the end. */
const LAST_ASKS_SHARE = 0.1
const LAST_ASKS_AT_ONCE = 16

/** With nothing broken, nobody has to repeat an order more often than this until its answer is final. */
const REPEATS_MAX = 5

export type Quiet = {
  /** From then on only final answers are right. */
  quietFrom: number
  /** How long after the last fault the last open order was concluded (ms). */
  concludedAfterMs: number
  /** What was still open when that had taken too long. */
  stillOpen: string[]
}

/** Waits until no order is open, without asking, and until every ingress gives a new order a final answer. */
export async function untilQuiet(
  { address, shards }: Pick<System, 'address' | 'shards'>,
  ingresses: readonly IngressTarget[],
  callers: Callers,
  random: Random,
): Promise<Quiet> {
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
  return { quietFrom: History.now(), concludedAfterMs, stillOpen }
}

/** Whether an answer is final, for its order or for the call alone. */
export function isFinalAnswer(ending: Ending): boolean {
  if (ending.kind !== 'ANSWERED') return false
  const code = ending.orderCode ?? ending.code
  return isResultCode(code) && isFinal(code)
}

/** Between two repeats of an order, in ms: nobody repeats at once who was just told that there is too much. */
const REPEAT_MS = 200

/** Places an order, and again while its answer is not final. */
export async function placeUntilFinal(
  order: PlaceOrderRequest,
  callers: Callers,
  pick: () => IngressTarget,
): Promise<void> {
  for (let n = 0; n <= REPEATS_MAX; n += 1) {
    if (isFinalAnswer(await callers.place(order, pick()))) return
    await wait(REPEAT_MS)
  }
}

/** Repeats, and asks after, every order that has no final answer yet, and some of those that have. */
export async function askOnceMore(
  sent: PlaceOrderRequest[],
  history: History,
  { callers, endpoints, random, signal }: Asking & { signal: AbortSignal },
): Promise<void> {
  const known = new Set(
    history.calls.flatMap(({ orderId, ending }) => (isFinalAnswer(ending) ? [orderId] : [])),
  )
  const asked = sent.filter(
    (order) => !known.has(orderIdOf(order)) || random.chance(LAST_ASKS_SHARE),
  )
  const next = asked.values()
  const askers = Array.from({ length: LAST_ASKS_AT_ONCE }, async () => {
    for (const order of next) {
      if (signal.aborted) return
      await callers.inquire(order, random.pick(endpoints()))
      await placeUntilFinal(order, callers, () => random.pick(endpoints()))
    }
  })
  await Promise.all(askers)
}
