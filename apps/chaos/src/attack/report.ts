import type { AttackReport } from './run-attack.ts'

/** Formats the result of an attack. */
export function attackSummary(report: AttackReport): string {
  const { connections, requests, answers, resets, memory, faults } = report
  return [
    ...report.cases.map(
      ({ number, title, tookMs, faults }) =>
        `case ${number}: ${faults.length === 0 ? 'holds' : 'FAILS'}: ${title} (${tookMs} ms)`,
    ),
    `${sum(requests)} requests over ${connections} connections, ` +
      `${resets} of them reset by the system`,
    `requests: ${counts(requests)}`,
    `answers:  ${sum(answers)}: ${counts(answers)}`,
    ...memory.map(
      ({ name, most, warm, end }) =>
        `memory:   ${name} used ${warm === undefined ? '' : `${warm} MiB after a minute, `}` +
        `${end} MiB at the end without garbage, and ${most} MiB at most`,
    ),
    ...faults.map((fault) => `FAULT:    ${fault}`),
    faults.length === 0 ? 'every promise was kept' : `${faults.length} faults`,
  ].join('\n')
}

export const sum = (of: Record<string, number>): number =>
  Object.values(of).reduce((total, one) => total + one, 0)

const counts = (of: Record<string, number>): string =>
  Object.entries(of)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
