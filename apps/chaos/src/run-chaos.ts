import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkHistory, History, readKept, type Violation } from '@placeorder/testkit'
import { askOnceMore, placeUntilFinal, untilQuiet } from './aftermath.ts'
import { Callers } from './callers.ts'
import { type House, openHouse, WAIT_MS } from './house.ts'
import { directoryFor, orderNumber, policy } from './market.ts'
import { letOrdersCome, type Progress } from './orders-come.ts'
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
      letOrdersCome(
        { ...options, signal: over },
        { callers, doors, random: random.fork(3), history },
      ),
      storm(house, { history, random: random.fork(2), signal: over }),
    ])
    const { quietFrom, concludedAfterMs } = await untilQuiet(
      house.system,
      ingresses,
      callers,
      random.fork(4),
    )
    await letEachWorkAlone(house, callers, random.fork(6))
    await askOnceMore(sent, history, { callers, doors, random: random.fork(5), signal })
    await Promise.all(house.members.map((member) => member.end()))
    watching.abort()
    await watched
    const kept = await readKept(house.system, JSON.stringify(policy))
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

/** Has each worker decide an order with all others gone: one that survived only in name would not. */
async function letEachWorkAlone(house: House, callers: Callers, random: Random): Promise<void> {
  const workers = house.members.filter(({ kind }) => kind === 'worker')
  const [ingress] = house.members.filter(({ kind }) => kind === 'ingress')
  for (const worker of workers) {
    const others = workers.filter((one) => one !== worker)
    await Promise.all(others.map((other) => other.end()))
    if (ingress)
      await placeUntilFinal(orderNumber(0, `alone-${worker.name}`, random), callers, () => ingress)
    await Promise.all(others.map((other) => other.start()))
  }
}
