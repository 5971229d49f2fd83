import { escaped, htmlPage } from '../cli/html-page.ts'
import { latencyChart, statusNames, throughputChart } from './chart.ts'
import { loadKinds } from './mix.ts'
import { formatMs, formatValue, measureTitles } from './objectives.ts'
import { percentileRanks } from './percentiles.ts'
import { describeSetup, endReasonText } from './print-summary.ts'
import { loadStyle } from './report-style.ts'
import type { Summary } from './summary.ts'
import { answerStatuses, type Latency, percentileName } from './tally.ts'

/** How many contradictions are listed; all are counted. */
const CONTRADICTIONS_SHOWN_MAX = 50

/** A run as one HTML page, without scripts or network requests. */
export function reportHtml(summary: Summary): string {
  const { setup, met, series } = summary
  const { buckets, bucketS } = series
  const verdict = met ? 'All objectives met' : 'Objectives missed'
  const statusLegend = legend(answerStatuses.map((status) => [status, statusNames[status]]))
  const lineLegend = legend(['p50', 'p99', 'max'].map((line) => [line, line]))
  return htmlPage({
    title: `Load: ${met ? 'objectives met' : 'objectives missed'}`,
    style: loadStyle,
    body: `<header>
<p class="verdict ${met ? 'met' : 'missed'}" id="verdict">${verdict}</p>
<h1>Load on ${escaped(setup.url)}</h1>
<p>${escaped(describeSetup(setup))}. Started ${escaped(summary.startedAt)};
${summary.sent} requests in ${summary.seconds.toFixed(1)} s;
the run ${endReasonText[summary.ending]}.</p>
</header>
${section('Objectives', objectiveRows(summary))}
${section('Answers a second', `${throughputChart(buckets, bucketS)}${statusLegend}`)}
${section('Latency, ms', latencyChart(buckets, bucketS) + lineLegend + latencyRows(summary))}
${section('Answers', codeRows(summary))}
${section('Promises', promises(summary))}`,
  })
}
const section = (title: string, body: string): string =>
  `<section><h2>${title}</h2>${body}</section>`

function rows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
  const cells = body.map((row) => line(row, 'td')).join('')
  return (
    `<div class="wide"><table><thead>${line(head, 'th')}</thead>` +
    `<tbody>${cells}</tbody></table></div>`
  )
}

function legend(entries: readonly (readonly [string, string])[]): string {
  const items = entries.map(([mark, text]) => `<span><i class="${mark}"></i>${text}</span>`)
  return `<p class="legend">${items.join('')}</p>`
}

function objectiveRows({ verdicts }: Summary): string {
  return rows(
    ['objective', 'bound', 'measured', ''],
    verdicts.map(({ measure, side, bound, got, met }) => [
      measureTitles[measure].title,
      `${side === 'AT_MOST' ? '≤' : '≥'} ${formatValue(measure, bound)}`,
      formatValue(measure, got),
      met ? '<b class="met">met</b>' : '<b class="missed">missed</b>',
    ]),
  )
}

function latencyRows({ latency, setup }: Summary): string {
  const row = (name: string, of: Latency) => {
    return [
      name,
      ...percentileRanks
        .map((rank) => of[percentileName(rank)])
        .map((value) => (value == null ? '–' : formatMs(value))),
    ]
  }
  const head = ['', ...percentileRanks.map(percentileName)]
  if (latency.corrected === null) {
    const note =
      'A closed loop sends the next request when the answer is there: it shows how fast answers ' +
      'can come, not what callers at a given rate would meet.'
    return `${rows(head, [row('as measured', latency.measured)])}<p>${note}</p>`
  }
  const note =
    'Corrected for coordinated omission: requests that were due while a connection waited for a ' +
    'slow answer are added with the time that they would have waited, at ' +
    `${setup.rate} requests a second over ${setup.connections} connections. Requests without an ` +
    'answer count with the time until they were dropped.'
  const both = [row('corrected', latency.corrected), row('as measured', latency.measured)]
  return `${rows(head, both)}<p>${note}</p>`
}

function codeRows({ codes, sent }: Summary): string {
  return rows(
    ['answer', '', ...loadKinds, 'all', 'share'],
    codes.map(({ code, status, byKind, total }) => [
      escaped(code),
      `<i class="${status}"></i>${statusNames[status]}`,
      ...loadKinds.map((kind) => `${byKind[kind] || ''}`),
      `${total}`,
      `${((total / sent) * 100).toFixed(1)} %`,
    ]),
  )
}

function promises({ polled, signatures, contradictions }: Summary): string {
  const open =
    polled.orders === 0
      ? 'Every order was final with its first answer.'
      : `${polled.orders} orders were open or lost at first. Inquiries on the published schedule ` +
        `found S for ${polled.S} and F for ${polled.F}; ${polled.open} stayed open. ` +
        `The slowest took ${polled.slowestS.toFixed(1)} s.`
  const signed = signatures.unchecked
    ? 'Signatures were not verified: the acquirer’s key was not given.'
    : `${signatures.verified} signatures were verified; ${signatures.wrong} were wrong.`
  const contradicted =
    contradictions.length === 0
      ? 'No answer contradicted an earlier one.'
      : `${contradictions.length} answers contradicted earlier ones.`
  const list = contradictions
    .slice(0, CONTRADICTIONS_SHOWN_MAX)
    .map(({ paymentId, answer, earlier }) => [paymentId, answer, earlier].map(escaped))
  const listed = list.length === 0 ? '' : rows(['paymentId', 'answer', 'after'], list)
  return `<p>${open}</p><p>${signed}</p><p>${contradicted}</p>${listed}`
}
