import { type Colour, type Terminal, table } from '../../cli/terminal.ts'
import type { AcceptanceCase } from '../case.ts'
import type { CaseOutcome, CaseVerdict } from '../run-cases.ts'
import { type Acceptance, describeCounts, describeSource } from './acceptance.ts'
import { answerText, requestText } from './exchange-text.ts'

const styles: Readonly<Record<CaseVerdict, { text: string; colour: Colour }>> = {
  PASSED: { text: 'pass', colour: 'green' },
  FAILED: { text: 'FAIL', colour: 'red' },
  SKIPPED: { text: 'skip', colour: 'yellow' },
}

/** Narrower terminals get no rule and source; failures, `--list` and the reports show them. */
const WIDE = 160

/** Prints a line for every case, the failures in full, and the number of each verdict. */
export function printAcceptance({ url, seconds, outcomes }: Acceptance, terminal: Terminal): void {
  const wide = terminal.width >= WIDE
  const columns = ['case', ...(wide ? ['rule', 'source'] : []), 'expected', 'got', 'verdict']
  const rows = outcomes.map(({ case: one, got, verdict }) => {
    const { text, colour } = styles[verdict]
    const ruleAndSource = wide ? [one.rule, describeSource(one)] : []
    return [one.name, ...ruleAndSource, one.expected.text, got, terminal.paint(colour, text)]
  })
  for (const line of table(
    columns.map((title) => ({ title })),
    rows,
    terminal,
  ))
    terminal.print(line)
  for (const outcome of outcomes) if (outcome.verdict === 'FAILED') printFailure(outcome, terminal)
  const failed = outcomes.some(({ verdict }) => verdict === 'FAILED')
  const counts = terminal.paint(failed ? 'red' : 'green', describeCounts(outcomes))
  terminal.print(`\n${url}: ${counts} in ${seconds.toFixed(1)} s`)
}

/** Prints a failure with its rule, what it breaks for a payer, and the last exchange. */
function printFailure({ case: one, got, recorded }: CaseOutcome, terminal: Terminal): void {
  terminal.print(`\n${terminal.paint('red', `FAIL ${one.name}`)}  ${one.rule}`)
  terminal.print(`  expected  ${one.expected.text}`)
  terminal.print(`  got       ${got}`)
  terminal.print(`  source    ${describeSource(one)}`)
  terminal.print(`  breaks    ${one.breaks}`)
  const last = recorded.at(-1)
  if (last === undefined) return
  for (const text of [requestText(last.request), answerText(last)]) {
    terminal.print(`\n${terminal.paint('dim', text.replaceAll(/^/gm, '    '))}`)
  }
}

/** Prints the cases without running them. */
export function printCases(cases: readonly AcceptanceCase[], terminal: Terminal): void {
  const columns = ['case', 'rule', 'source', 'expected', 'fixture'].map((title) => ({ title }))
  const rows = cases.map((one) => {
    return [
      one.name,
      one.rule,
      describeSource(one),
      one.expected.text,
      'needs' in one ? (one.needs ?? '') : '',
    ]
  })
  for (const line of table(columns, rows, terminal)) terminal.print(line)
}
