import { escaped, htmlPage } from '../../cli/html-page.ts'
import { noAnswerText } from '../../client/place-order-client.ts'
import type { AcceptanceCase } from '../case.ts'
import { looseAnswer, looseInquiryAnswer } from '../loose-answer.ts'
import { type CaseOutcome, type CaseVerdict, countVerdicts } from '../run-cases.ts'
import type { RecordedExchange } from '../wire.ts'
import { type Acceptance, byChapter, describeCounts, describeSource } from './acceptance.ts'
import { answerText, requestText } from './exchange-text.ts'
import { pageStyle } from './page-style.ts'

const verdicts: Readonly<Record<CaseVerdict, { mark: string; word: string; filter: string }>> = {
  PASSED: { mark: '✓', word: 'passed', filter: 'Passed' },
  FAILED: { mark: '✕', word: 'failed', filter: 'Failed' },
  SKIPPED: { mark: '–', word: 'skipped', filter: 'Skipped' },
}

/** A run as an HTML page: a filter, the chapters, and each case with all its exchanges. */
export function pageHtml(acceptance: Acceptance): string {
  const { url, clientId, startedAt, seconds, outcomes } = acceptance
  const chapters = byChapter(outcomes, (one) => one.case)
  const links = chapters.map(({ group, title, of }) => chapterLink(group, title, of))
  const failed = countVerdicts(outcomes, 'FAILED')
  const verdict =
    failed === 0
      ? 'Keeps the contract'
      : `Breaks the contract in ${failed} ${failed === 1 ? 'case' : 'cases'}`
  return htmlPage({
    title: `Acceptance: ${verdict.toLowerCase()}`,
    style: pageStyle,
    body: `<header>
<p class="verdict ${failed === 0 ? 'met' : 'missed'}" id="verdict">${verdict}</p>
<h1>placeOrder at ${escaped(url)}</h1>
<p>${describeCounts(outcomes)} in ${seconds.toFixed(1)} s,
as ${escaped(clientId)} on ${escaped(startedAt.toISOString())}.
Open a case to see what breaks for a payer when it fails, and every request and answer.</p>
</header>
${failures(outcomes)}
${filters(outcomes)}
<nav aria-label="Chapters">${links.join('')}</nav>
${chapters.map(({ group, title, of }) => chapter(group, title, of)).join('\n')}`,
  })
}

/** The failures, on top of the page. */
function failures(outcomes: readonly CaseOutcome[]): string {
  const each = outcomes.flatMap(({ case: { name, breaks }, verdict }) =>
    verdict === 'FAILED'
      ? [`<li><a href="#${escaped(name)}">${escaped(name)}</a> ${escaped(breaks)}</li>`]
      : [],
  )
  return each.length === 0
    ? ''
    : `<ul class="failures" aria-label="What failed">${each.join('')}</ul>`
}

/** Radio buttons that filter by CSS: pages of build results often may not run scripts. */
function filters(outcomes: readonly CaseOutcome[]): string {
  const button = (id: string, label: string, number: number) =>
    `<label><input type="radio" name="show" id="show-${id}"${id === 'all' ? ' checked' : ''}>` +
    `<span>${label} <b>${number}</b></span></label>`
  const each = Object.entries(verdicts).map(([verdict, { word, filter }]) =>
    button(word, filter, outcomes.filter((one) => one.verdict === verdict).length),
  )
  const all = button('all', 'All', outcomes.length)
  return `<fieldset class="filter"><legend>Show</legend>${all}${each.join('')}</fieldset>`
}

function chapterLink(group: string, title: string, of: readonly CaseOutcome[]): string {
  const failed = of.filter(({ verdict }) => verdict === 'FAILED').length
  const many =
    failed > 0 ? `<b class="missed">${failed} of ${of.length}</b>` : `<span>${of.length}</span>`
  return `<a href="#${group}">${title} ${many}</a>`
}

const chapter = (group: string, title: string, of: readonly CaseOutcome[]): string =>
  `<section id="${group}"><h2>${title}</h2>${of.map(caseHtml).join('')}</section>`

function caseHtml({ case: one, verdict, got, tookMs, recorded }: CaseOutcome): string {
  const { mark, word } = verdicts[verdict]
  const short = one.name.slice(one.name.indexOf('/') + 1)
  const expectation = verdict === 'FAILED' ? `expected ${escaped(one.expected.text)}, got ` : ''
  const result =
    verdict === 'PASSED' ? '' : `<span class="got">${expectation}${escaped(got)}</span>`
  const facts: [string, string][] = [
    ['What breaks', one.breaks],
    ['Source', describeSource(one)],
    ['Expected', one.expected.text],
    ['Got', got],
    ...(tookMs > 0 ? [['Took', `${Math.round(tookMs)} ms`] satisfies [string, string]] : []),
  ]
  return `<details class="case ${word}" id="${escaped(one.name)}">
<summary><i title="${word}">${mark}</i><span class="name">${escaped(short)}</span>
<span class="rule">${escaped(one.rule)}${result}</span></summary>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>
${recorded.map((exchange, at) => exchangeHtml(exchange, at, one)).join('')}</details>`
}

/** An exchange under its result; an AnswerCase names the case from which it comes. */
function exchangeHtml(exchange: RecordedExchange, at: number, { name }: AcceptanceCase): string {
  const { request, reply, caseName, endpoint } = exchange
  const answer =
    reply.kind === 'ANSWERED'
      ? (endpoint === 'inquire' ? looseInquiryAnswer : looseAnswer)(reply).code
      : noAnswerText(reply)
  const signature = reply.kind === 'ANSWERED' ? `, signature ${reply.signature.toLowerCase()}` : ''
  const from = caseName === name ? '' : ` (${caseName})`
  const kind = endpoint === 'inquire' ? 'inquiry' : 'order'
  const title = `${at + 1}. ${kind}${from}: ${answer}${signature}`
  const sides = [requestText(request), answerText(exchange)]
  const blocks = sides.map((text) => `<pre>${escaped(text)}</pre>`).join('')
  return `<div class="exchange"><h3>${escaped(title)}</h3><div class="sides">${blocks}</div></div>`
}
