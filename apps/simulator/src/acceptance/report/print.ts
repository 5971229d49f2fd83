import { type Colour, type Terminal, table } from '../../cli/terminal.ts'
import type { Case } from '../case.ts'
import type { Outcome, Verdict } from '../run-cases.ts'
import { type Acceptance, countWords, sourceWords } from './acceptance.ts'
import { answerText, requestText } from './exchange-text.ts'

const looks: Readonly<Record<Verdict, { word: string; colour: Colour }>> = {
  PASSED: { word: 'pass', colour: 'green' },
  FAILED: { word: 'FAIL', colour: 'red' },
  SKIPPED: { word: 'skip', colour: 'yellow' },
}

/** On terminals narrower than this, rule and source are left out: the failures, `--list` and the reports tell them. */
const WIDE = 160

/** Prints every case in a line, those that failed in full, and how many there are of each. */
export function printAcceptance({ url, seconds, outcomes }: Acceptance, terminal: Terminal): void {
  const wide = terminal.width >= WIDE
  const columns = ['case', ...(wide ? ['rule', 'source'] : []), 'expected', 'got', 'verdict']
  const rows = outcomes.map(({ case: one, got, verdict }) => {
    const { word, colour } = looks[verdict]
    const told = wide ? [one.rule, sourceWords(one)] : []
    return [one.name, ...told, one.expected.words, got, terminal.paint(colour, word)]
  })
  for (const line of table(
    columns.map((title) => ({ title })),
    rows,
    terminal,
  ))
    terminal.print(line)
  for (const outcome of outcomes) if (outcome.verdict === 'FAILED') printFailure(outcome, terminal)
  const failed = outcomes.some(({ verdict }) => verdict === 'FAILED')
  terminal.print(
    `\n${url}: ${terminal.paint(failed ? 'red' : 'green', countWords(outcomes))} in ${seconds.toFixed(1)} s`,
  )
}

/** What failed, what that does to a payer, and the exchange that showed it. */
function printFailure({ case: one, got, recorded }: Outcome, terminal: Terminal): void {
  terminal.print(`\n${terminal.paint('red', `FAIL ${one.name}`)}  ${one.rule}`)
  terminal.print(`  expected  ${one.expected.words}`)
  terminal.print(`  got       ${got}`)
  terminal.print(`  source    ${sourceWords(one)}`)
  terminal.print(`  breaks    ${one.breaks}`)
  const last = recorded.at(-1)
  if (last === undefined) return
  for (const text of [requestText(last.sent), answerText(last)]) {
    terminal.print(`\n${terminal.paint('dim', text.replaceAll(/^/gm, '    '))}`)
  }
}

/** Prints what the cases are, without running them. */
export function printCases(cases: readonly Case[], terminal: Terminal): void {
  const columns = ['case', 'rule', 'source', 'expected', 'fixture'].map((title) => ({ title }))
  const rows = cases.map((one) => {
    return [
      one.name,
      one.rule,
      sourceWords(one),
      one.expected.words,
      'needs' in one ? (one.needs ?? '') : '',
    ]
  })
  for (const line of table(columns, rows, terminal)) terminal.print(line)
}
