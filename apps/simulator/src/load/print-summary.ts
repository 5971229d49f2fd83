import { type Terminal, table } from '../cli/terminal.ts'
import { loadKinds } from './mix.ts'
import { formatMs, formatValue, measureTitles } from './objectives.ts'
import { percentileRanks } from './percentiles.ts'
import type { EndReason } from './send-load.ts'
import type { Setup, Summary } from './summary.ts'
import { type AnswerStatus, type Latency, percentileName } from './tally.ts'

/** Why a run ended, as reports say it. */
export const endReasonText: Readonly<Record<EndReason, string>> = {
  TIME: 'ended on time',
  ALL_SENT: 'ended when all requests were sent',
  STOPPED: 'was stopped',
  UNREACHABLE: 'ended because nobody answered any more',
}

/** The setup of a run in a line. */
export function describeSetup({ rate, connections, mix }: Setup): string {
  const how = rate === null ? 'closed loop' : `${rate} requests/s`
  const shares = loadKinds.filter((kind) => mix[kind] > 0).map((kind) => `${kind} ${mix[kind]}`)
  return `${how}, ${connections} connections, mix ${shares.join(', ')}`
}

const colours = { S: 'green', F: 'red', U: 'yellow', LOST: 'red' } as const satisfies Record<
  AnswerStatus,
  string
>

/** Prints answers by code, latencies and the verdict. */
export function printSummary(summary: Summary, terminal: Terminal): void {
  const { setup, sent, seconds, ending } = summary
  terminal.print(`${terminal.paint('bold', setup.url)}  ${describeSetup(setup)}`)
  terminal.print(`${sent} requests in ${seconds.toFixed(1)} s; the run ${endReasonText[ending]}\n`)
  for (const part of [codeTable, latencyTable, endTable, verdictTable]) {
    for (const line of part(summary, terminal)) terminal.print(line)
    terminal.print()
  }
  const verdict = summary.met
    ? terminal.paint('green', 'all objectives met')
    : terminal.paint('red', 'OBJECTIVES MISSED')
  terminal.print(`verdict    ${verdict}`)
}

function codeTable({ codes, sent }: Summary, terminal: Terminal): string[] {
  const right = (title: string) => ({ title, align: 'right' as const })
  return table(
    [{ title: 'answer' }, { title: '' }, ...loadKinds.map(right), right('all'), right('share')],
    codes.map(({ code, status, byKind, total }) => [
      code,
      terminal.paint(colours[status], status === 'LOST' ? '–' : status),
      ...loadKinds.map((kind) => `${byKind[kind] || ''}`),
      `${total}`,
      `${((total / sent) * 100).toFixed(1)} %`,
    ]),
    terminal,
  )
}

function latencyTable({ latency }: Summary, terminal: Terminal): string[] {
  const columns = percentileRanks.map((rank) => ({
    title: percentileName(rank),
    align: 'right' as const,
  }))
  const row = (name: string, of: Latency) => [
    name,
    ...percentileRanks.map((rank) => cell(of[percentileName(rank)])),
  ]
  const rows = [
    ...(latency.corrected === null ? [] : [row('corrected', latency.corrected)]),
    row(latency.corrected === null ? 'closed loop' : 'as measured', latency.measured),
  ]
  return table([{ title: 'latency, ms' }, ...columns], rows, terminal)
}

const cell = (value: number | null | undefined): string => (value == null ? '–' : formatMs(value))

function endTable({ polled, signatures, contradictions }: Summary, terminal: Terminal): string[] {
  const { orders, S, F, open, slowestS } = polled
  const found =
    orders === 0
      ? 'none'
      : `${orders}: S ${S}, F ${F}, still open ${open}; the slowest took ${slowestS.toFixed(1)} s`
  const signed = signatures.unchecked
    ? 'not verified: no --server-key'
    : `${signatures.verified} verified, ${signatures.wrong} wrong`
  return [
    `open at first  ${found}`,
    `signatures     ${signed}`,
    `contradictions ${contradictions.length}`,
    ...contradictions
      .slice(0, 5)
      .map(({ paymentId, answer, earlier }) =>
        terminal.paint('red', `  ${paymentId}: ${answer}, after ${earlier}`),
      ),
  ]
}

function verdictTable({ verdicts }: Summary, terminal: Terminal): string[] {
  return table(
    [
      { title: 'objective' },
      { title: 'bound', align: 'right' },
      { title: 'measured', align: 'right' },
      { title: '' },
    ],
    verdicts.map(({ measure, side, bound, got, met }) => [
      measureTitles[measure].title,
      `${side === 'AT_MOST' ? '≤' : '≥'} ${formatValue(measure, bound)}`,
      formatValue(measure, got),
      met ? terminal.paint('green', 'met') : terminal.paint('red', 'MISSED'),
    ]),
    terminal,
  )
}
