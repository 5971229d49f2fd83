import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { askOnceMore, placeUntilFinal, untilQuiet } from './aftermath.ts'
import { Callers } from './callers.ts'
import { watchCpuStarvation } from './cpu-starvation.ts'
import { injectFaults } from './fault-schedule.ts'
import { generateLoad, ordersMax, type Progress } from './generate-load.ts'
import { checkHistory, type Violation } from './history/check-history.ts'
import { History } from './history/history.ts'
import { readStoredState } from './history/stored-state.ts'
import { Random } from './random.ts'
import { openTestBed, type TestBed, WAIT_MS } from './test-bed.ts'
import type { TopologyName } from './topologies/topology.ts'
import { directoryFor, orderNumber, policy } from './workload.ts'

export type ChaosOptions = {
  seed: number
  topology: TopologyName
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
  processFailures: string[]
  orders: number
  kept: number
  topology: TopologyName
  /** What could be broken here: clocks need libfaketime, a full disk needs root. */
  faultKinds: string[]
  /** How long after the last fault the last open order was concluded (ms). */
  concludedAfterMs: number
}

/** Runs a system, breaks it, and checks what it promised. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, topology, forMs, ordersPerSecond, dir, signal } = options
  const random = new Random(seed)
  const history = new History(join(dir, 'history.ndjson'))
  const processFailures: string[] = []
  const onProcessFailure = (what: string) => void processFailures.push(what)
  const testBed = await openTestBed(dir, {
    history,
    random: random.fork(1),
    topology,
    onProcessFailure,
  })
  const watching = new AbortController()
  try {
    await writeFile(join(testBed.system.dir, 'policy.json'), JSON.stringify(policy))
    const { merchants, codes } = directoryFor(ordersMax(forMs / 1_000, ordersPerSecond))
    await testBed.system.put(merchants, codes)
    await Promise.all(testBed.members.map((member) => member.start()))
    const ingresses = testBed.members.filter(({ kind }) => kind === 'ingress')
    const watched = watchCpuStarvation(history, () => testBed.members, watching.signal)
    const callers = new Callers(testBed.system, history)
    const endpoints = () => ingresses.filter(({ isOffered }) => isOffered)
    const over = AbortSignal.any([signal, AbortSignal.timeout(forMs)])
    const [sent] = await Promise.all([
      generateLoad(
        { ...options, signal: over },
        { callers, endpoints, random: random.fork(3), history },
      ),
      injectFaults(testBed, { history, random: random.fork(2), signal: over }),
    ])
    await testBed.topology.settle()
    const { quietFrom, concludedAfterMs, stillOpen } = await untilQuiet(
      testBed.system,
      ingresses,
      callers,
      random.fork(4),
    )
    await letEachWorkAlone(testBed, callers, random.fork(6))
    await askOnceMore(sent, history, { callers, endpoints, random: random.fork(5), signal })
    await Promise.all(testBed.members.map((member) => member.end()))
    watching.abort()
    await watched
    const kept = await readStoredState(testBed.system, JSON.stringify(policy))
    const violations = checkHistory(history, kept, { waitMs: WAIT_MS, quietFrom, stillOpen })
    return {
      seed,
      history,
      violations,
      processFailures,
      orders: sent.length,
      kept: kept.orders.length,
      topology,
      faultKinds: Object.keys(testBed.faults),
      concludedAfterMs,
    }
  } finally {
    watching.abort()
    await testBed.close()
    await history.close()
  }
}

/** Has each worker decide an order with all others gone: one that survived only in name would not. */
async function letEachWorkAlone(testBed: TestBed, callers: Callers, random: Random): Promise<void> {
  const workers = testBed.members.filter(({ kind }) => kind === 'worker')
  const [ingress] = testBed.members.filter(({ kind }) => kind === 'ingress')
  for (const worker of workers) {
    const others = workers.filter((one) => one !== worker)
    await Promise.all(others.map((other) => other.end()))
    if (ingress)
      await placeUntilFinal(
        orderNumber(0, `alone-${worker.name}`, random).order,
        callers,
        () => ingress,
      )
    await Promise.all(others.map((other) => other.start()))
  }
}
