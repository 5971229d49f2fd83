import { setTimeout as wait } from 'node:timers/promises'
import { isFinal, isResultCode, type PlaceOrderRequest } from '@placeorder/protocol'
import type { Callers, IngressTarget } from './callers.ts'
import type { Ending } from './history/history.ts'
import type { Random } from './random.ts'
import { withOtherTerms } from './workload.ts'

/** How clients send an order, each as often as it says. A silent one never asks again, whatever it hears. */
const behaviours = {
  plain: 35,
  silent: 10,
  concurrent: 20,
  inconsistent: 12,
  droppingAndRepeating: 23,
}

/** Alipay+ asks again after 4 s, 4 s, 30 s and so on; here time is short (ms). */
const ASK_AGAIN_MS = [300, 700, 1_500, 3_000, 4_000]

/** After a final answer a client may come back to it within this time (ms). */
const COME_BACK_MS_MAX = 8_000

export type Placing = {
  callers: Callers
  /** The ingresses that calls may be sent to now. */
  endpoints: () => readonly IngressTarget[]
  random: Random
  /** Aborts when no more calls are to be made. */
  signal: AbortSignal
}

/** Places an order as real clients do, and asks after it until its answer is final, unless the client is silent. */
export async function place(order: PlaceOrderRequest, placing: Placing): Promise<void> {
  const { random } = placing
  const behaviour = random.weighted(behaviours)
  const first = await placeAs[behaviour](order, placing)
  if (behaviour === 'silent') return
  await askUntilFinal(order, first, placing)
  if (!random.chance(0.3)) return
  await pause(random.whole(0, COME_BACK_MS_MAX), placing)
  await ask(order, placing)
}

const placeAs: Record<
  keyof typeof behaviours,
  (order: PlaceOrderRequest, placing: Placing) => Promise<Ending | undefined>
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

/** Whether asking again can bring nothing new. */
const settles = (ending: Ending | undefined): boolean => {
  if (ending?.kind !== 'ANSWERED') return false
  const code = ending.orderCode ?? ending.code
  return isResultCode(code) && isFinal(code)
}

async function askUntilFinal(
  order: PlaceOrderRequest,
  first: Ending | undefined,
  placing: Placing,
): Promise<void> {
  let last = first
  for (const ms of ASK_AGAIN_MS) {
    if (settles(last)) return
    await pause(ms, placing)
    last = await ask(order, placing)
  }
}

const ask = (order: PlaceOrderRequest, placing: Placing): Promise<Ending | undefined> =>
  placing.random.chance(0.7) ? send(order, placing) : inquire(order, placing)

/** Sends an order to some ingress; where nobody listens, to the next. */
async function send(
  order: PlaceOrderRequest,
  { callers, endpoints, random, signal }: Placing,
  dropAfterMs?: number,
): Promise<Ending | undefined> {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const open = endpoints()
    if (signal.aborted || open.length === 0) return undefined
    const ending = await callers.place(order, random.pick(open), dropAfterMs)
    if (ending.kind !== 'REFUSED') return ending
  }
  return undefined
}

async function inquire(
  order: PlaceOrderRequest,
  { callers, endpoints, random, signal }: Placing,
): Promise<Ending | undefined> {
  const open = endpoints()
  return signal.aborted || open.length === 0 ? undefined : callers.inquire(order, random.pick(open))
}

const pause = (ms: number, { signal }: Placing): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => {})
