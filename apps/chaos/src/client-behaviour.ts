import { setTimeout as wait } from 'node:timers/promises'
import { isFinal, isResultCode, type PlaceOrderRequest } from '@placeorder/protocol'
import type { Callers, IngressTarget } from './callers.ts'
import type { CallEnding } from './history/history.ts'
import type { Random } from './random.ts'
import { withOtherTerms } from './workload.ts'

/**
 * How clients send an order, by weight. A silent one never repeats or inquires, whatever the
 * answer.
 */
const behaviours = {
  plain: 35,
  silent: 10,
  concurrent: 20,
  inconsistent: 12,
  droppingAndRepeating: 23,
}

/** Alipay+ repeats after 4 s, 4 s, 30 s and so on; a run is too short for that (ms). */
const REPEAT_AFTER_MS = [300, 700, 1_500, 3_000, 4_000]

/**
 * After a final answer a client may send the order once more within this time (ms), in which it is
 * archived and forgotten.
 */
const LATE_REPEAT_MS_MAX = 20_000

/** How calls are made: by whom, to which ingresses, and with which random choices. */
export type CallContext = {
  callers: Callers
  /** The ingresses that calls may be sent to now. */
  ingresses: () => readonly IngressTarget[]
  random: Random
}

/** `signal` aborts when no more calls are to be made. */
type Placing = CallContext & { signal: AbortSignal }

/** Places an order as real clients do. Unless silent, they repeat or inquire until it is final. */
export async function place(order: PlaceOrderRequest, placing: Placing): Promise<void> {
  const { random } = placing
  const behaviour = random.weighted(behaviours)
  const first = await placeAs[behaviour](order, placing)
  if (behaviour === 'silent') return
  await repeatUntilFinal(order, first, placing)
  if (!random.chance(0.3)) return
  await pause(random.whole(0, LATE_REPEAT_MS_MAX), placing)
  await repeatOrInquire(random.chance(0.2) ? withOtherTerms(order, random) : order, placing)
}

const placeAs: Record<
  keyof typeof behaviours,
  (order: PlaceOrderRequest, placing: Placing) => Promise<CallEnding | undefined>
> = {
  plain: (order, placing) => send(order, placing),
  silent: (order, placing) => send(order, placing),
  concurrent: async (order, placing) => {
    const { random } = placing
    const copies = Array.from({ length: random.whole(2, 5) }, async () => {
      await pause(random.whole(0, 50), placing)
      return send(order, placing)
    })
    return (await Promise.all(copies)).find(settles)
  },
  inconsistent: async (order, placing) => {
    const { random } = placing
    const other = withOtherTerms(order, random)
    const early = random.chance(0.3)
    const both = [order, other].map(async (request, i) => {
      await pause((i === 1) === early ? 0 : random.whole(0, 500), placing)
      return send(request, placing)
    })
    return (await Promise.all(both))[0]
  },
  droppingAndRepeating: async (order, placing) => {
    const { random } = placing
    await send(order, placing, random.whole(0, 800))
    return send(order, placing)
  },
}

/** Whether no repeat can bring anything new. */
const settles = (ending: CallEnding | undefined): boolean => {
  if (ending?.kind !== 'ANSWERED') return false
  const code = ending.orderCode ?? ending.code
  return isResultCode(code) && isFinal(code)
}

async function repeatUntilFinal(
  order: PlaceOrderRequest,
  first: CallEnding | undefined,
  placing: Placing,
): Promise<void> {
  let last = first
  for (const ms of REPEAT_AFTER_MS) {
    if (settles(last)) return
    await pause(ms, placing)
    last = await repeatOrInquire(order, placing)
  }
}

const repeatOrInquire = (
  order: PlaceOrderRequest,
  placing: Placing,
): Promise<CallEnding | undefined> =>
  placing.random.chance(0.7) ? send(order, placing) : inquire(order, placing)

/** Sends an order to some ingress, or to another one if that refuses the connection. */
async function send(
  order: PlaceOrderRequest,
  { callers, ingresses, random, signal }: Placing,
  dropAfterMs?: number,
): Promise<CallEnding | undefined> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const open = ingresses()
    if (signal.aborted || open.length === 0) return undefined
    const ending = await callers.place(order, random.pick(open), dropAfterMs)
    if (ending.kind !== 'REFUSED') return ending
  }
  return undefined
}

async function inquire(
  order: PlaceOrderRequest,
  { callers, ingresses, random, signal }: Placing,
): Promise<CallEnding | undefined> {
  const open = ingresses()
  return signal.aborted || open.length === 0 ? undefined : callers.inquire(order, random.pick(open))
}

const pause = (ms: number, { signal }: Placing): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => {})
