import { type Terminal, table } from '../cli/terminal.ts'
import type { Ending } from './fire.ts'
import { kinds } from './mix.ts'
import { ms, titles, valueWords } from './objectives.ts'
import { ranks } from './percentiles.ts'
import type { Setup, Summary } from './summary.ts'
import { type Fate, type Latency, nameOf } from './tally.ts'

/** Why a run ended, for people. */
export const endingWords: Readonly<Record<Ending, string>> = {
  TIME: 'its time was over',
  ALL_SENT: 'all was sent',
  STOPPED: 'it was stopped',
  GIVEN_UP: 'nobody answered any more',
}

/** How a run was made, in a line. */
export function setupWords({ rate, connections, mix }: Setup): string {
  const how = rate === null ? 'closed loop' : `${rate} requests/s`
  const shares = kinds.filter((kind) => mix[kind] > 0).map((kind) => `${kind} ${mix[kind]}`)
  return `${how}, ${connections} connections, mix ${shares.join(', ')}`
}

const colours = { S: 'green', F: 'red', U: 'yellow', LOST: 'red' } as const satisfies Record<
  Fate,
  string
>

/** Prints answers by code, latencies and the verdict. */
export function printSummary(summary: Summary, terminal: Terminal): void {
  const { setup, sent, seconds, ending } = summary
  terminal.print(`${terminal.paint('bold', setup.url)}  ${setupWords(setup)}`)
  terminal.print(`${sent} requests in ${seconds.toFixed(1)} s; ${endingWords[ending]}\n`)
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
    [{ title: 'answer' }, { title: '' }, ...kinds.map(right), right('all'), right('share')],
    codes.map(({ code, fate, byKind, total }) => [
      code,
      terminal.paint(colours[fate], fate === 'LOST' ? '–' : fate),
      ...kinds.map((kind) => `${byKind[kind] || ''}`),
      `${total}`,
      `${((total / sent) * 100).toFixed(1)} %`,
    ]),
    terminal,
  )
}

function latencyTable({ latency }: Summary, terminal: Terminal): string[] {
  const columns = ranks.map((rank) => ({ title: nameOf(rank), align: 'right' as const }))
  const row = (name: string, of: Latency) => [name, ...ranks.map((rank) => cell(of[nameOf(rank)]))]
  const rows = [
    ...(latency.corrected === null ? [] : [row('corrected', latency.corrected)]),
    row(latency.corrected === null ? 'closed loop' : 'as measured', latency.measured),
  ]
  return table([{ title: 'latency, ms' }, ...columns], rows, terminal)
}

const cell = (value: number | null | undefined): string => (value == null ? '–' : ms(value))

function endTable({ followed, signatures, contradictions }: Summary, terminal: Terminal): string[] {
  const { orders, S, F, open, slowestS } = followed
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
      .map(({ paymentId, told, before }) =>
        terminal.paint('red', `  ${paymentId}: ${told}, after ${before}`),
      ),
  ]
}

function verdictTable({ verdicts }: Summary, terminal: Terminal): string[] {
  return table(
    [
      { title: 'objective' },
      { title: 'bound', align: 'right' },
      { title: 'got', align: 'right' },
      { title: '' },
    ],
    verdicts.map(({ measure, side, bound, got, met }) => [
      titles[measure].title,
      `${side === 'AT_MOST' ? '≤' : '≥'} ${valueWords(measure, bound)}`,
      valueWords(measure, got),
      met ? terminal.paint('green', 'met') : terminal.paint('red', 'MISSED'),
    ]),
    terminal,
  )
}
