import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Ingress, openSystem, type RunningProcess } from '@placeorder/testkit'
import { Callers } from '../src/callers.ts'
import { watchCpuStarvation } from '../src/cpu-starvation.ts'
import { generateLoad } from '../src/generate-load.ts'
import { checkHistory, type Violation } from '../src/history/check-history.ts'
import { History, type RecordedCall } from '../src/history/history.ts'
import { readStoredState } from '../src/history/stored-state.ts'
import { Random } from '../src/random.ts'
import { checkAgain, isFinalAnswer, untilRecovered } from '../src/recovery.ts'
import { WAIT_MS } from '../src/test-bed.ts'
import { chaosPolicy, directoryFor } from '../src/workload.ts'

export type Scenario = {
  seed: number
  /** The environment of the processes: where Redis is, and other settings. */
  env: Record<string, string>
  ordersPerSecond: number
  bursts?: boolean
  /**
   * Runs while orders are sent, which end with it. `served` waits until so many more orders have a
   * final answer, `answered` until one more order is answered with this code.
   */
  meanwhile: (
    served: (orders: number) => Promise<void>,
    answered: (code: string) => Promise<void>,
  ) => Promise<void>
}

/** What is wrong, the number of calls by code, and when the last open order was concluded (ms). */
export type ScenarioResult = {
  wrong: string[]
  answers: Map<string, number>
  concludedAfterMs: number
}

/**
 * Runs two ingresses and two workers on this Redis while orders are sent, and checks the promises.
 */
export async function runScenario({
  seed,
  env,
  ordersPerSecond,
  bursts = true,
  meanwhile,
}: Scenario): Promise<ScenarioResult> {
  const system = await openSystem({ env: { WAIT_MS: String(WAIT_MS), ...env } })
  const history = new History()
  const random = new Random(seed)
  const watching = new AbortController()
  try {
    await writeFile(join(system.dir, 'policy.json'), JSON.stringify(chaosPolicy))
    const { merchants, codes } = directoryFor(10_000)
    await system.put(merchants, codes)
    const [one, two] = await Promise.all([system.startIngress(), system.startIngress()])
    const workers = await Promise.all([system.startWorker(), system.startWorker()])
    const ingresses = [one, two].map(({ origin, pid }: Ingress, i) => ({
      name: `ingress-${i + 1}`,
      origin,
      pid,
      connecting: 0,
    }))
    const watched = watchCpuStarvation(history, () => ingresses, watching.signal)
    const callers = new Callers(system, history)
    const ending = new AbortController()
    const [sent] = await Promise.all([
      generateLoad(
        { seed, ordersPerSecond, bursts, signal: ending.signal, onProgress: () => {} },
        { callers, ingresses: () => ingresses, random: random.fork(1), history },
      ),
      meanwhile(
        (orders) => untilMore(history, orders, ({ ending }) => isFinalAnswer(ending)),
        (code) => untilMore(history, 1, isOrderAnswered(code)),
      ).finally(() => ending.abort()),
    ])
    const { recoveredAt, concludedAfterMs, stillOpen } = await untilRecovered(
      system,
      ingresses,
      callers,
      random.fork(2),
    )
    await checkAgain(sent, history, {
      callers,
      ingresses: () => ingresses,
      random: random.fork(3),
      signal: AbortSignal.timeout(60_000),
    })
    const all = [one, two, ...workers]
    for (const process of all) process.kill('SIGTERM')
    const ends = await Promise.all(all.map(({ exited }) => exited))
    watching.abort()
    await watched
    const stored = await readStoredState(system, JSON.stringify(chaosPolicy))
    const violations = checkHistory(history, stored, { waitMs: WAIT_MS, recoveredAt, stillOpen })
    const processFailures = all.flatMap(({ name, lines }, i) => [
      ...(ends[i] === 0 ? [] : [`${name} ended with ${ends[i]}`]),
      ...lines.filter((line) => /unhandled|uncaught|closing after an error/i.test(line)),
    ])
    const answers = new Map<string, number>()
    for (const { ending } of history.calls) {
      const name = ending.kind === 'ANSWERED' ? (ending.orderCode ?? ending.code) : ending.kind
      answers.set(name, (answers.get(name) ?? 0) + 1)
    }
    const wrong = [...violations.map(describe), ...processFailures]
    return {
      wrong: wrong.length === 0 ? [] : [...wrong, ...lastWarnings(all)],
      answers,
      concludedAfterMs,
    }
  } finally {
    watching.abort()
    await system.close()
  }
}

/** How long so many orders may take (ms). */
const SERVED_MS_MAX = 60_000

async function untilMore(
  history: History,
  more: number,
  counts: (call: RecordedCall) => boolean,
): Promise<void> {
  const deadline = History.now() + SERVED_MS_MAX
  const counted = () => history.calls.filter(counts).length
  const enough = counted() + more
  while (counted() < enough) {
    if (History.now() > deadline)
      throw new Error(`orders are not served any more: ${counted()} of ${enough}`)
    await wait(20)
  }
}

const isOrderAnswered =
  (code: string) =>
  ({ endpoint, ending }: RecordedCall): boolean =>
    endpoint === 'place' && ending.kind === 'ANSWERED' && ending.code === code

/** The last warnings and errors of the processes: the first place to look for a cause. */
const lastWarnings = (processes: RunningProcess[]): string[] =>
  processes.flatMap(({ name, pid, lines }) =>
    lines
      .filter((line) => !/"level":(?:[123]0|"info")/.test(line))
      .slice(-40)
      .map((line) => `${name} ${pid}: ${line}`),
  )

const describe = ({ rule, orderId, what, calls }: Violation): string =>
  `${rule}: ${orderId} ${what} ${JSON.stringify(calls)}`
