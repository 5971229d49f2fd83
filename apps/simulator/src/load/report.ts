import { escaped, htmlPage } from '../cli/html-page.ts'
import { latencyChart, nameOfFate, throughputChart } from './chart.ts'
import { kinds } from './mix.ts'
import { ms, titles, valueWords } from './objectives.ts'
import { ranks } from './percentiles.ts'
import { endingWords, setupWords } from './print-summary.ts'
import { loadStyle } from './report-style.ts'
import type { Summary } from './summary.ts'
import { fates, type Latency, nameOf } from './tally.ts'

/** Contradictions that are shown; the rest is counted. */
const CONTRADICTIONS_SHOWN_MAX = 50

/** A run as one HTML page that needs nothing else: no network, no script. */
export function reportHtml(summary: Summary): string {
  const { setup, met, series } = summary
  return htmlPage({
    title: `Load: ${met ? 'objectives met' : 'objectives missed'}`,
    style: loadStyle,
    body: `<header>
<p class="verdict ${met ? 'met' : 'missed'}" id="verdict">${met ? 'All objectives met' : 'Objectives missed'}</p>
<h1>Load on ${escaped(setup.url)}</h1>
<p>${escaped(setupWords(setup))}. Begun ${escaped(summary.startedAt)}; ${summary.sent} requests in
${summary.seconds.toFixed(1)} s, and ${endingWords[summary.ending]}.</p>
</header>
${section('Objectives', objectiveRows(summary))}
${section('Answers a second', `${throughputChart(series.buckets, series.bucketS)}${legend(fates.map((fate) => [fate, nameOfFate[fate]]))}`)}
${section(
  'Latency, ms',
  `${latencyChart(series.buckets, series.bucketS)}${legend([
    ['p50', 'p50'],
    ['p99', 'p99'],
    ['max', 'max'],
  ])}${latencyRows(summary)}`,
)}
${section('Answers', codeRows(summary))}
${section('Promises', promises(summary))}`,
  })
}
const section = (title: string, body: string): string =>
  `<section><h2>${title}</h2>${body}</section>`

function rows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: 'th' | 'td') =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
  return `<div class="wide"><table><thead>${line(head, 'th')}</thead><tbody>${body.map((cells) => line(cells, 'td')).join('')}</tbody></table></div>`
}

const legend = (entries: readonly (readonly [string, string])[]): string =>
  `<p class="legend">${entries.map(([mark, words]) => `<span><i class="${mark}"></i>${words}</span>`).join('')}</p>`

function objectiveRows({ verdicts }: Summary): string {
  return rows(
    ['objective', 'bound', 'got', ''],
    verdicts.map(({ measure, side, bound, got, met }) => [
      titles[measure].title,
      `${side === 'AT_MOST' ? '≤' : '≥'} ${valueWords(measure, bound)}`,
      valueWords(measure, got),
      met ? '<b class="met">met</b>' : '<b class="missed">missed</b>',
    ]),
  )
}

function latencyRows({ latency, setup }: Summary): string {
  const row = (name: string, of: Latency) => {
    return [
      name,
      ...ranks.map((rank) => of[nameOf(rank)]).map((value) => (value == null ? '–' : ms(value))),
    ]
  }
  const head = ['', ...ranks.map(nameOf)]
  if (latency.corrected === null) {
    return `${rows(head, [row('as measured', latency.measured)])}<p>A closed loop sends the next request when the answer is there: it shows how fast answers can come, not what callers at a given rate would meet.</p>`
  }
  return `${rows(head, [row('corrected', latency.corrected), row('as measured', latency.measured)])}<p>Corrected for coordinated omission: requests that were due while a connection waited for a slow answer are added with the time they would have waited, at ${setup.rate} requests a second over ${setup.connections} connections. Requests without an answer count with the time they were waited for.</p>`
}

function codeRows({ codes, sent }: Summary): string {
  return rows(
    ['answer', '', ...kinds, 'all', 'share'],
    codes.map(({ code, fate, byKind, total }) => [
      escaped(code),
      `<i class="${fate}"></i>${nameOfFate[fate]}`,
      ...kinds.map((kind) => `${byKind[kind] || ''}`),
      `${total}`,
      `${((total / sent) * 100).toFixed(1)} %`,
    ]),
  )
}

function promises({ followed, signatures, contradictions }: Summary): string {
  const open =
    followed.orders === 0
      ? 'Every order was final with its first answer.'
      : `${followed.orders} orders were open or lost at first. Inquiries on the published schedule found S for ${followed.S} and F for ${followed.F}; ${followed.open} stayed open. The slowest took ${followed.slowestS.toFixed(1)} s.`
  const signed = signatures.unchecked
    ? 'Signatures were not verified: the acquirer’s key was not given.'
    : `${signatures.verified} signatures were verified; ${signatures.wrong} were wrong.`
  const told =
    contradictions.length === 0
      ? 'No answer contradicted an earlier one.'
      : `${contradictions.length} answers contradicted earlier ones.`
  const list = contradictions
    .slice(0, CONTRADICTIONS_SHOWN_MAX)
    .map(({ paymentId, told, before }) => [escaped(paymentId), escaped(told), escaped(before)])
  return `<p>${open}</p><p>${signed}</p><p>${told}</p>${list.length === 0 ? '' : rows(['paymentId', 'told', 'after'], list)}`
}
