import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlaceOrderRequest } from '@placeorder/protocol'
import { ForgottenOrders } from './archive/forgotten-orders.ts'
import { Callers } from './callers.ts'
import type { CallContext } from './client-behaviour.ts'
import { watchCpuStarvation } from './cpu-starvation.ts'
import { injectFaults } from './fault-schedule.ts'
import { type ChaosProgress, generateLoad, ordersMax } from './generate-load.ts'
import { checkHistory, type Violation } from './history/check-history.ts'
import { History } from './history/history.ts'
import { readStoredState } from './history/stored-state.ts'
import { Random } from './random.ts'
import { checkAgain, placeUntilFinal, type Recovery, untilRecovered } from './recovery.ts'
import {
  archivers,
  type ChaosTestBed,
  ingressesAndWorkers,
  notifiers,
  openChaosTestBed,
  WAIT_MS,
} from './test-bed.ts'
import type { TopologyName } from './topologies/topology.ts'
import { chaosPolicy, directoryFor, orderNumber } from './workload.ts'

export type ChaosOptions = {
  seed: number
  topology: TopologyName
  /** Whether archivers copy the orders to a PostgreSQL. */
  archive: boolean
  /** Whether notifiers deliver the events of the orders. */
  events: boolean
  /** Which kinds of faults are injected, by their names; all of them if undefined. */
  inject?: (kind: string) => boolean
  /** How long orders are sent and faults injected (ms). */
  forMs: number
  /**
   * Goes on until every kind of fault has been injected, for so long at most (ms): on a busy
   * machine faults take longer.
   */
  forMsMax?: number
  ordersPerSecond: number
  /** The folder of the history and the logs. */
  dir: string
  signal: AbortSignal
  onProgress: (progress: ChaosProgress) => void
}

export type ChaosReport = {
  seed: number
  history: History
  violations: Violation[]
  /** What processes did that no process may ever do. */
  processFailures: string[]
  orders: number
  stored: number
  /** How many orders only the archive has, and final answers came out of it. */
  forgotten: number
  answersFromArchive: number
  topology: TopologyName
  /**
   * The kinds of faults that can be injected here: clocks need a C compiler, a full disk needs
   * root.
   */
  faultKinds: string[]
  /** How long after the last fault the last open order was concluded (ms). */
  concludedAfterMs: number
  /** How long after that every sink had the events of all orders (ms). */
  deliveredAfterMs: number | undefined
}

/** How often to check whether it is over (ms). */
const CHECK_MS = 100

/** Runs a system, injects faults, and checks its promises. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, topology, dir, signal, inject } = options
  const random = new Random(seed)
  const history = new History(join(dir, 'history.ndjson'))
  const processFailures: string[] = []
  const onProcessFailure = (what: string) => void processFailures.push(what)
  const testBed = await openChaosTestBed(dir, {
    history,
    random: random.fork(1),
    topology,
    onProcessFailure,
    names: namesFor(options),
    inject,
  })
  const watching = new AbortController()
  try {
    await start(testBed, options)
    const ingresses = testBed.processes.filter(({ kind }) => kind === 'ingress')
    const watched = watchCpuStarvation(history, () => testBed.processes, watching.signal)
    const forgotten = new ForgottenOrders(history)
    const forgetting = testBed.archive && forgotten.watch(testBed.system, watching.signal)
    const callers = new Callers(testBed.system, history)
    const inRotation = () => ingresses.filter(({ isInRotation }) => isInRotation)
    const until = untilOver(options, testBed, history)
    const [sent] = await Promise.all([
      generateLoad(
        { ...options, signal: until },
        { callers, ingresses: inRotation, random: random.fork(3), history },
      ),
      injectFaults(testBed, { history, random: random.fork(2), signal: until }),
    ])
    const recovered = await recover(testBed, sent, {
      callers,
      ingresses: inRotation,
      random,
      history,
      signal,
    })
    watching.abort()
    await Promise.all([watched, forgetting])
    const archived = await testBed.archive?.compare()
    const stored = {
      ...(await readStoredState(testBed.system, JSON.stringify(chaosPolicy), archived)),
      notForgotten: recovered.notForgotten,
      answersFromArchive: testBed.archive && forgotten.answers,
      sinks: testBed.events?.histories() ?? [],
    }
    const violations = checkHistory(history, stored, { waitMs: WAIT_MS, ...recovered })
    return {
      seed,
      history,
      violations,
      processFailures,
      orders: sent.length,
      stored: stored.orders.length,
      forgotten: archived?.forgotten.length ?? 0,
      answersFromArchive: forgotten.answers,
      topology,
      faultKinds: Object.keys(testBed.faults),
      concludedAfterMs: recovered.concludedAfterMs,
      deliveredAfterMs: recovered.deliveredAfterMs,
    }
  } finally {
    watching.abort()
    await testBed.close()
    await history.close()
  }
}

/** The processes of a run. */
const namesFor = ({ archive, events }: ChaosOptions): string[] => [
  ...ingressesAndWorkers,
  ...(archive ? archivers : []),
  ...(events ? notifiers : []),
]

/** Writes what the processes need, and starts them. */
async function start(testBed: ChaosTestBed, options: ChaosOptions): Promise<void> {
  const { system, processes, events } = testBed
  await writeFile(join(system.dir, 'policy.json'), JSON.stringify(chaosPolicy))
  const orders = ordersMax(maxOf(options) / 1_000, options.ordersPerSecond)
  const { merchants, codes } = directoryFor(orders)
  await system.put(merchants, codes)
  await Promise.all(processes.map((one) => one.start()))
  await events?.begin()
}

const maxOf = ({ forMs, forMsMax = forMs }: ChaosOptions): number => forMsMax

/** Aborts once all kinds of faults have come, after `forMs` at least and `forMsMax` at most. */
function untilOver(options: ChaosOptions, testBed: ChaosTestBed, history: History): AbortSignal {
  const { signal, forMs } = options
  const hasAll = () => history.hasFaults(Object.keys(testBed.faults))
  const over = new AbortController()
  const from = History.now()
  const checking = setInterval(() => {
    const ms = History.now() - from
    if (!signal.aborted && ms < maxOf(options) && (ms < forMs || !hasAll())) return
    clearInterval(checking)
    over.abort()
  }, CHECK_MS)
  return AbortSignal.any([signal, over.signal])
}

/**
 * After the last fault: waits until all is concluded, delivered and forgotten, asks for orders once
 * more, and ends all processes.
 */
async function recover(
  testBed: ChaosTestBed,
  sent: PlaceOrderRequest[],
  context: CallContext & { history: History; signal: AbortSignal },
): Promise<
  Recovery & { notForgotten: string[] | undefined; deliveredAfterMs: number | undefined }
> {
  const { system, topology, archive, events, processes } = testBed
  const { callers, random, history } = context
  const ingresses = processes.filter(({ kind }) => kind === 'ingress')
  await topology.settle()
  const recovery = await untilRecovered(system, ingresses, callers, random.fork(4))
  const deliveredAfterMs = await events?.untilDelivered()
  await letEachWorkAlone(testBed, callers, random.fork(6))
  const notForgotten = await archive?.untilForgotten()
  await checkAgain(sent, history, { ...context, random: random.fork(5) })
  await archive?.untilArchived()
  await events?.untilDelivered()
  await Promise.all(processes.map((one) => one.end()))
  return { ...recovery, notForgotten, deliveredAfterMs }
}

/**
 * Lets each worker decide an order while all others are down: one that only seems alive would not.
 */
async function letEachWorkAlone(
  testBed: ChaosTestBed,
  callers: Callers,
  random: Random,
): Promise<void> {
  const workers = testBed.processes.filter(({ kind }) => kind === 'worker')
  const [ingress] = testBed.processes.filter(({ kind }) => kind === 'ingress')
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
