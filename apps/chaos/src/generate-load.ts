import { setTimeout as wait } from 'node:timers/promises'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { type CallContext, place } from './client-behaviour.ts'
import { CALLERS, History } from './history/history.ts'
import { ofOtherAcquirer, orderNumber } from './workload.ts'

export type ChaosProgress = {
  elapsedMs: number
  orders: number
  calls: number
  faults: number
  inFlight: number
}

export type GenerateLoadOptions = {
  seed: number
  ordersPerSecond: number
  /** Now and then a hundred orders and more come at once, by default. */
  bursts?: boolean
  signal: AbortSignal
  onProgress: (progress: ChaosProgress) => void
}

/** More calls at once than this would only test the callers' machine. */
const IN_FLIGHT_MAX = 400

/** While the callers' event loop is later than this (ms), no new order is sent. */
const LATE_MS_MAX = 50

/** Bursts make full groups, parts and joined jobs: one about every so many seconds. */
const BURST_EVERY_S = 6
const BURST_ORDERS = [100, 250] as const

/** For this share of the orders another acquirer sends one with the same paymentId. */
const TWINS_SHARE = 0.1

/** About how many orders are sent in so many seconds, at most. */
export const ordersMax = (seconds: number, ordersPerSecond: number): number =>
  2 * seconds * (ordersPerSecond + BURST_ORDERS[1] / BURST_EVERY_S)

/** Sends orders until `signal` aborts, and waits for all calls. Resolves with the orders sent. */
export async function generateLoad(
  { seed, ordersPerSecond, bursts = true, signal, onProgress }: GenerateLoadOptions,
  { callers, ingresses, random, history }: CallContext & { history: History },
): Promise<PlaceOrderRequest[]> {
  const startedAt = performance.now()
  const sent: PlaceOrderRequest[] = []
  const placing: Promise<void>[] = []
  const reporting = setInterval(() => {
    const elapsedMs = performance.now() - startedAt
    const { length: orders } = sent
    const { inFlight } = callers
    onProgress({
      elapsedMs,
      orders,
      calls: history.calls.length,
      faults: history.faults.length,
      inFlight,
    })
  }, 1_000)
  while (!signal.aborted) {
    const own = random.fork(sent.length)
    await wait(own.next() * (2_000 / ordersPerSecond), undefined, { signal }).catch(() => {})
    if (signal.aborted || callers.inFlight >= IN_FLIGHT_MAX || isLate(history)) continue
    const isBurst = bursts && own.chance(1 / (BURST_EVERY_S * ordersPerSecond))
    for (let left = isBurst ? own.whole(...BURST_ORDERS) : 1; left > 0; left -= 1) {
      const each = random.fork(sent.length)
      const first = orderNumber(sent.length, String(seed), each)
      const both = each.chance(TWINS_SHARE) ? [first, ofOtherAcquirer(first)] : [first]
      for (const { order, outcomes } of both) {
        sent.push(order)
        history.expects(order, outcomes)
        placing.push(place(order, { callers, ingresses, random: each, signal }))
      }
    }
  }
  await Promise.all(placing)
  clearInterval(reporting)
  return sent
}

/** Whether the callers themselves lack CPU time: more calls would then only test the machine. */
function isLate({ pauses }: History): boolean {
  const last = pauses.findLast(({ who }) => who === CALLERS)
  return last !== undefined && last.ms > LATE_MS_MAX && last.to > History.now() - LATE_MS_MAX
}
