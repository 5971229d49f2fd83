import type { ChaosProgress } from './generate-load.ts'
import type { Violation } from './history/check-history.ts'
import type { Pause, RecordedCall } from './history/history.ts'
import { Pauses } from './history/pauses.ts'
import type { ChaosReport } from './run-chaos.ts'
import { WAIT_MS } from './test-bed.ts'

/** How many violations are shown in full. */
const SHOWN_MAX = 5

export const progressLine = ({
  elapsedMs,
  orders,
  calls,
  faults,
  inFlight,
}: ChaosProgress): string =>
  `${Math.round(elapsedMs / 1_000)} s  ${orders} orders  ` +
  `${calls} calls, ${inFlight} in flight  ${faults} faults`

/** Counts the orders that were lost: not stored, or without an outcome. */
const lostOrders = (violations: Violation[]): number =>
  new Set(
    violations.flatMap(({ rule, orderId }) =>
      ['acceptedIsStored', 'everyOrderEnds', 'noOpenOrders', 'concludedWithoutCalls'].includes(rule)
        ? [orderId]
        : [],
    ),
  ).size

/**
 * The longest answers (ms): as measured, and less the time in which ingress or callers could not
 * run.
 */
export function longestMs(
  calls: readonly RecordedCall[],
  pauses: readonly Pause[],
): { seen: number; net: number; excused: number } {
  const index = new Pauses(pauses)
  const longest = { seen: 0, net: 0, excused: 0 }
  for (const call of calls) {
    if (call.ending.kind !== 'ANSWERED') continue
    const seen = call.endedAt - call.sentAt
    longest.seen = Math.max(longest.seen, seen)
    longest.net = Math.max(longest.net, index.netMs(call))
    if (seen > WAIT_MS + 200) longest.excused += 1
  }
  return longest
}

/** The table that is printed at the end of a run. */
export function chaosSummary(report: ChaosReport): string {
  const { history, violations } = report
  const longest = longestMs(history.calls, history.pauses)
  const rows: [string, string | number][] = [
    ['seed', report.seed],
    ['topology', report.topology],
    ['orders sent', report.orders],
    ['orders stored', report.stored],
    ['  of them forgotten by Redis', report.forgotten],
    ['calls', history.calls.length],
    ...counted(
      history.calls.map(({ endpoint, ending }) => `  ${endpoint}: ${describeEnding(ending)}`),
    ),
    ['final answers out of the archive', report.answersFromArchive],
    ['faults', history.faults.length],
    ...report.faultKinds.map((name): [string, string | number] => [
      `  ${name}`,
      history.faults.filter(({ kind }) => kind === name).length,
    ]),
    ['open orders concluded after the last fault', `${Math.round(report.concludedAfterMs)} ms`],
    ...delivered(report),
    ['longest answer', `${Math.round(longest.seen)} ms`],
    [
      '  less pauses and CPU starvation',
      `${Math.round(longest.net)} ms, at most ${WAIT_MS + 200} ms`,
    ],
    ['  answers later than that, all excused', longest.excused],
    ['wrong answers', violations.length],
    ['lost orders', lostOrders(violations)],
    ['process failures', report.processFailures.length],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

const delivered = ({ deliveredAfterMs: ms }: ChaosReport): [string, string][] =>
  ms === undefined ? [] : [['every event delivered after that', `${Math.round(ms)} ms`]]

function counted(names: string[]): [string, number][] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].toSorted(([a], [b]) => a.localeCompare(b))
}

function describeEnding(ending: RecordedCall['ending']): string {
  if (ending.kind !== 'ANSWERED') return ending.kind.toLowerCase()
  return ending.orderCode ?? ending.code
}

/** Describes violations with the calls that show them and the faults before them. */
export function excerpt({ violations, processFailures, history }: ChaosReport): string {
  const at = (ms: number) => (ms - (history.calls[0]?.sentAt ?? ms)).toFixed(0).padStart(8)
  const line = ({ sentAt, endedAt, endpoint, ingress, ending, terms }: RecordedCall) =>
    `  ${at(sentAt)} ${at(endedAt)} ms  ${ingress} ${endpoint} ${describeEnding(ending)}  ` +
    `${terms} ${'why' in ending ? ending.why : ''}`
  const shown = violations.slice(0, SHOWN_MAX).flatMap(({ rule, orderId, what, calls }) => {
    const own = history.calls.filter((call) => orderId !== undefined && call.orderId === orderId)
    const last = Math.max(...calls.map(({ endedAt }) => endedAt))
    const before = history.faults.filter((fault) => fault.at < last && fault.at > last - 10_000)
    return [
      `${rule}: ${orderId ?? ''} ${what}`,
      ...own.map((call) => `${calls.includes(call) ? '>' : ' '}${line(call)}`),
      ...before.map((fault) => `   ${at(fault.at)}           ${fault.kind} (${fault.on})`),
    ]
  })
  const more = violations.length - SHOWN_MAX
  return [
    ...shown,
    ...(more > 0 ? [`and ${more} more`] : []),
    ...processFailures.slice(0, 20),
  ].join('\n')
}
