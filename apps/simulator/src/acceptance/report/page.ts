import { escaped, htmlPage } from '../../cli/html-page.ts'
import type { Case } from '../case.ts'
import { looseAnswer, looseInquiryAnswer } from '../loose-answer.ts'
import type { Outcome, Verdict } from '../run-cases.ts'
import type { Recorded } from '../wire.ts'
import { type Acceptance, byChapter, countWords, sourceWords } from './acceptance.ts'
import { answerText, lossText, requestText } from './exchange-text.ts'
import { pageStyle } from './page-style.ts'

const verdicts: Readonly<Record<Verdict, { mark: string; word: string; filter: string }>> = {
  PASSED: { mark: '✓', word: 'passed', filter: 'Passed' },
  FAILED: { mark: '✕', word: 'failed', filter: 'Failed' },
  SKIPPED: { mark: '–', word: 'skipped', filter: 'Skipped' },
}

/** A run as a page to read: a filter, a chapter for each concern, and each case with all that was sent and came. */
export function pageHtml(acceptance: Acceptance): string {
  const { url, clientId, startedAt, seconds, outcomes } = acceptance
  const chapters = byChapter(outcomes, (one) => one.case)
  const failed = outcomes.filter(({ verdict }) => verdict === 'FAILED').length
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
<p>Asked as ${escaped(clientId)} on ${escaped(startedAt.toISOString())}: ${countWords(outcomes)} in ${seconds.toFixed(1)} s.
Open a case to see what breaks for a payer when it fails, and every request and answer.</p>
</header>
${failures(outcomes)}
${filters(outcomes)}
<nav aria-label="Chapters">${chapters.map(({ group, title, of }) => chapterLink(group, title, of)).join('')}</nav>
${chapters.map(({ group, title, of }) => chapter(group, title, of)).join('\n')}`,
  })
}

/** What failed, where a reader looks first. */
function failures(outcomes: readonly Outcome[]): string {
  const each = outcomes.flatMap(({ case: { name, breaks }, verdict }) =>
    verdict === 'FAILED'
      ? [`<li><a href="#${escaped(name)}">${escaped(name)}</a> ${escaped(breaks)}</li>`]
      : [],
  )
  return each.length === 0
    ? ''
    : `<ul class="failures" aria-label="What failed">${each.join('')}</ul>`
}

/** Radio buttons that the style sheet listens to: a page of build results often may not run scripts. */
function filters(outcomes: readonly Outcome[]): string {
  const button = (id: string, label: string, number: number) =>
    `<label><input type="radio" name="show" id="show-${id}"${id === 'all' ? ' checked' : ''}><span>${label} <b>${number}</b></span></label>`
  const each = Object.entries(verdicts).map(([verdict, { word, filter }]) =>
    button(word, filter, outcomes.filter((one) => one.verdict === verdict).length),
  )
  return `<fieldset class="filter"><legend>Show</legend>${button('all', 'All', outcomes.length)}${each.join('')}</fieldset>`
}

function chapterLink(group: string, title: string, of: readonly Outcome[]): string {
  const failed = of.filter(({ verdict }) => verdict === 'FAILED').length
  const many =
    failed > 0 ? `<b class="missed">${failed} of ${of.length}</b>` : `<span>${of.length}</span>`
  return `<a href="#${group}">${title} ${many}</a>`
}

const chapter = (group: string, title: string, of: readonly Outcome[]): string =>
  `<section id="${group}"><h2>${title}</h2>${of.map(caseHtml).join('')}</section>`

function caseHtml({ case: one, verdict, got, tookMs, recorded }: Outcome): string {
  const { mark, word } = verdicts[verdict]
  const short = one.name.slice(one.name.indexOf('/') + 1)
  const glance =
    verdict === 'PASSED'
      ? ''
      : `<span class="got">${verdict === 'FAILED' ? `expected ${escaped(one.expected.words)}, got ` : ''}${escaped(got)}</span>`
  const facts: [string, string][] = [
    ['What breaks', one.breaks],
    ['Source', sourceWords(one)],
    ['Expected', one.expected.words],
    ['Got', got],
    ...(tookMs > 0 ? [['Took', `${Math.round(tookMs)} ms`] satisfies [string, string]] : []),
  ]
  return `<details class="case ${word}" id="${escaped(one.name)}"><summary><i title="${word}">${mark}</i><span class="name">${escaped(short)}</span><span class="rule">${escaped(one.rule)}${glance}</span></summary>
<dl>${facts.map(([name, value]) => `<dt>${name}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>
${recorded.map((exchange, at) => exchangeHtml(exchange, at, one)).join('')}</details>`
}

/** An exchange, with what was said in it on top; a survey shows exchanges of other cases, and names them. */
function exchangeHtml(exchange: Recorded, at: number, { name }: Case): string {
  const { sent, reply, of, endpoint } = exchange
  const told =
    reply.kind === 'ANSWERED'
      ? (endpoint === 'inquire' ? looseInquiryAnswer : looseAnswer)(reply).code
      : lossText(reply)
  const signature = reply.kind === 'ANSWERED' ? `, signature ${reply.signature.toLowerCase()}` : ''
  const from = of === name ? '' : ` (${of})`
  const title = `${at + 1}. ${endpoint === 'inquire' ? 'inquiry' : 'order'}${from}: ${told}${signature}`
  return `<div class="exchange"><h3>${escaped(title)}</h3><div class="sides"><pre>${escaped(requestText(sent))}</pre><pre>${escaped(answerText(exchange))}</pre></div></div>`
}
