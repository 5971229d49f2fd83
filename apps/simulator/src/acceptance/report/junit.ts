import { count, type Outcome } from '../run-cases.ts'
import { type Acceptance, byChapter, sourceWords } from './acceptance.ts'
import { answerText, requestText } from './exchange-text.ts'

/** A run as JUnit writes it: what build servers read. A chapter is a suite. */
export function junitXml({ url, startedAt, seconds, outcomes }: Acceptance): string {
  const suites = byChapter(outcomes, (one) => one.case).map(
    ({ title, of }) =>
      `  <testsuite name="${escaped(title)}" ${counts(of)} timestamp="${startedAt.toISOString()}" time="${secondsOf(of)}">\n` +
      `${of.map(testcase).join('')}  </testsuite>\n`,
  )
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<testsuites name="${escaped(`placeOrder at ${url}`)}" ${counts(outcomes)} time="${seconds.toFixed(3)}">\n` +
    `${suites.join('')}</testsuites>\n`
  )
}

const counts = (of: readonly Outcome[]): string =>
  `tests="${of.length}" failures="${count(of, 'FAILED')}" errors="0" skipped="${count(of, 'SKIPPED')}"`

const secondsOf = (of: readonly Outcome[]): string =>
  (of.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1000).toFixed(3)

function testcase(outcome: Outcome): string {
  const { case: one, tookMs } = outcome
  const head = `    <testcase classname="${escaped(one.name.replace('/', '.'))}" name="${escaped(one.rule)}" time="${(tookMs / 1000).toFixed(3)}"`
  const inside = insideOf(outcome)
  return inside === '' ? `${head}/>\n` : `${head}>\n      ${inside}\n    </testcase>\n`
}

function insideOf({ case: one, verdict, got, recorded }: Outcome): string {
  if (verdict === 'PASSED') return ''
  if (verdict === 'SKIPPED') return `<skipped message="${escaped(got)}"/>`
  const text = [
    one.breaks,
    sourceWords(one),
    ...recorded.flatMap((exchange) => [requestText(exchange.sent), answerText(exchange)]),
  ].join('\n\n')
  const message = `expected ${one.expected.words}, got ${got}`
  return `<failure message="${escaped(message)}" type="${escaped(one.name)}">${escaped(text)}</failure>`
}

/** Text made harmless in XML, which has no place for most control characters, escaped or not. */
function escaped(text: string): string {
  const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll(/[&<>"]/g, (mark) => marks[mark] ?? mark)
}
