import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isFinal, isResultCode, type PlaceOrderRequest } from '@placeorder/protocol'
import { connect, disconnect, Orders, type RedisAddress } from '@placeorder/store'
import { CALLERS, checkHistory, type Ending, History, readKept, type Violation } from '@placeorder/testkit'
import { Callers, type Door } from './callers.ts'
import { place } from './customers.ts'
import { type House, openHouse, SHARDS, WAIT_MS } from './house.ts'
import { directoryFor, orderNumber, policy } from './market.ts'
import { Random } from './random.ts'
import { watchStarvation } from './starvation.ts'
import { storm } from './storm.ts'

export type ChaosOptions = {
  seed: number
  /** How long orders come and things break, in ms. */
  forMs: number
  ordersPerSecond: number
  /** Where history and logs go. */
  dir: string
  signal: AbortSignal
  onProgress: (progress: Progress) => void
}

export type Progress = { elapsedMs: number; orders: number; calls: number; faults: number; inFlight: number }

export type ChaosReport = {
  seed: number
  history: History
  violations: Violation[]
  /** What processes did that no process may ever do. */
  disgraces: string[]
  orders: number
  kept: number
  diskCanBeFilled: boolean
  /** How long after the last fault the last open order was concluded (ms). */
  concludedAfterMs: number
}

/** More calls at once than this would test the callers' machine. */
const IN_FLIGHT_MAX = 400

/** When the callers' event loop comes later than this (ms), no new order is sent. */
const LATE_MS_MAX = 50

/** With all whole, every open order is concluded within this time (ms), and every ingress answers well. */
const CONCLUDED_MS_MAX = 60_000

/** Of orders that have their answer, this share is asked after once more at the end. */
const LAST_ASKS_SHARE = 0.1
const LAST_ASKS_AT_ONCE = 16

/** Runs a system, breaks it, and checks what it promised. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, forMs, ordersPerSecond, dir, signal } = options
  const random = new Random(seed)
  const history = new History(join(dir, 'history.ndjson'))
  const disgraces: string[] = []
  const onDisgrace = (what: string) => void disgraces.push(what)
  const house = await openHouse(dir, { history, random: random.fork(1), onDisgrace })
  const watching = new AbortController()
  try {
    await writeFile(join(house.system.dir, 'policy.json'), JSON.stringify(policy))
    const { merchants, codes } = directoryFor((forMs / 1_000) * ordersPerSecond)
    await house.system.put(merchants, codes)
    await Promise.all(house.members.map((member) => member.start()))
    const ingresses = house.members.filter(({ kind }) => kind === 'ingress')
    const watched = watchStarvation(history, () => house.members, watching.signal)
    const callers = new Callers(house.system.caller, history)
    const doors = () => ingresses.filter(({ isOffered }) => isOffered)
    const over = AbortSignal.any([signal, AbortSignal.timeout(forMs)])
    const [sent] = await Promise.all([
      market({ ...options, signal: over }, { callers, doors, random: random.fork(3), history }),
      storm(house, { history, random: random.fork(2), signal: over }),
    ])
    const { quietFrom, concludedAfterMs } = await untilQuiet(house, callers, random.fork(4))
    await letEachWorkAlone(house, callers, random.fork(6))
    await askOnceMore(sent, history, { callers, doors, random: random.fork(5), signal })
    await Promise.all(house.members.map((member) => member.end()))
    watching.abort()
    await watched
    const kept = await readKept(addressOf(house), { shards: SHARDS, policy: JSON.stringify(policy) })
    const violations = checkHistory(history, kept, { waitMs: WAIT_MS, quietFrom })
    return {
      seed,
      history,
      violations,
      disgraces,
      orders: sent.length,
      kept: kept.orders.length,
      diskCanBeFilled: house.disk !== undefined,
      concludedAfterMs,
    }
  } finally {
    watching.abort()
    await house.close()
    await history.close()
  }
}

type Asking = { callers: Callers; doors: () => readonly Door[]; random: Random }

/** Lets orders come until `signal` aborts, and waits for the calls of all. Resolves with the orders. */
async function market(
  { seed, ordersPerSecond, signal, onProgress }: ChaosOptions,
  { callers, doors, random, history }: Asking & { history: History },
): Promise<PlaceOrderRequest[]> {
  const startedAt = performance.now()
  const sent: PlaceOrderRequest[] = []
  const placing: Promise<void>[] = []
  const telling = setInterval(() => {
    const elapsedMs = performance.now() - startedAt
    const { length: orders } = sent
    const { inFlight } = callers
    onProgress({ elapsedMs, orders, calls: history.calls.length, faults: history.faults.length, inFlight })
  }, 1_000)
  while (!signal.aborted) {
    const own = random.fork(sent.length)
    await wait(own.next() * (2_000 / ordersPerSecond), undefined, { signal }).catch(() => {})
    if (signal.aborted || callers.inFlight >= IN_FLIGHT_MAX || isLate(history)) continue
    const order = orderNumber(sent.length, String(seed), own)
    sent.push(order)
    placing.push(place(order, { callers, doors, random: own, signal }))
  }
  await Promise.all(placing)
  clearInterval(telling)
  return sent
}

/** Whether the callers themselves have no processor to spare: more calls would then only test the machine. */
function isLate({ absences }: History): boolean {
  const last = absences.findLast(({ who }) => who === CALLERS)
  return last !== undefined && last.ms > LATE_MS_MAX && last.to > History.now() - LATE_MS_MAX
}

const addressOf = ({ redis }: House): RedisAddress => ({
  urls: [redis.url],
  cluster: false,
  sentinels: [],
  sentinelName: '',
})

/** Waits until no order is open and every ingress gives a new order a final answer; from then on only such answers are right. */
async function untilQuiet(
  house: House,
  callers: Callers,
  random: Random,
): Promise<{ quietFrom: number; concludedAfterMs: number }> {
  const startedAt = History.now()
  const connection = connect(addressOf(house), 'patient')
  const orders = new Orders(connection, SHARDS)
  const openOrders = async () => {
    const backlogs = await Promise.all(Array.from({ length: SHARDS }, (_, shard) => orders.backlog(shard)))
    return backlogs.reduce((sum, { open }) => sum + open, 0)
  }
  const inTime = () => History.now() - startedAt < CONCLUDED_MS_MAX
  while (inTime() && (await openOrders()) > 0) await wait(50)
  const concludedAfterMs = History.now() - startedAt
  for (const [i, ingress] of house.members.filter(({ kind }) => kind === 'ingress').entries()) {
    for (let n = 0; inTime(); n += 1) {
      const probe = orderNumber(0, `probe-${i}-${n}`, random)
      if (isFinalAnswer(await callers.place(probe, ingress))) break
      await wait(200)
    }
  }
  while (inTime() && (await openOrders()) > 0) await wait(50)
  await disconnect(connection)
  return { quietFrom: History.now(), concludedAfterMs }
}

/** Has each worker decide an order with all others gone: one that survived only in name would not. */
async function letEachWorkAlone(house: House, callers: Callers, random: Random): Promise<void> {
  const workers = house.members.filter(({ kind }) => kind === 'worker')
  const [ingress] = house.members.filter(({ kind }) => kind === 'ingress')
  for (const worker of workers) {
    const others = workers.filter((one) => one !== worker)
    await Promise.all(others.map((other) => other.end()))
    if (ingress) await callers.place(orderNumber(0, `alone-${worker.name}`, random), ingress)
    await Promise.all(others.map((other) => other.start()))
  }
}

function isFinalAnswer(ending: Ending): boolean {
  if (ending.kind !== 'ANSWERED') return false
  const code = ending.orderCode ?? ending.code
  return isResultCode(code) && isFinal(code)
}

/** Repeats, and asks after, every order that has no final answer yet, and some of those that have. */
async function askOnceMore(
  sent: PlaceOrderRequest[],
  history: History,
  { callers, doors, random, signal }: Asking & { signal: AbortSignal },
): Promise<void> {
  const known = new Set(
    history.calls.flatMap(({ paymentId, ending }) => (isFinalAnswer(ending) ? [paymentId] : [])),
  )
  const asked = sent.filter(({ paymentId }) => !known.has(paymentId) || random.chance(LAST_ASKS_SHARE))
  const next = asked.values()
  const askers = Array.from({ length: LAST_ASKS_AT_ONCE }, async () => {
    for (const order of next) {
      if (signal.aborted) return
      await callers.inquire(order, random.pick(doors()))
      await callers.place(order, random.pick(doors()))
    }
  })
  await Promise.all(askers)
}
