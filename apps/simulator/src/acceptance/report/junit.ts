import { type CaseOutcome, countVerdicts } from '../run-cases.ts'
import { type Acceptance, byChapter, describeSource } from './acceptance.ts'
import { answerText, requestText } from './exchange-text.ts'

/** A run as a JUnit report for build servers. A chapter is a suite. */
export function junitXml({ url, startedAt, seconds, outcomes }: Acceptance): string {
  const suites = byChapter(outcomes, (one) => one.case).map(({ title, of }) => {
    const times = `timestamp="${startedAt.toISOString()}" time="${secondsOf(of)}"`
    const head = `  <testsuite name="${escaped(title)}" ${counts(of)} ${times}>\n`
    return `${head}${of.map(testcase).join('')}  </testsuite>\n`
  })
  const name = escaped(`placeOrder at ${url}`)
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<testsuites name="${name}" ${counts(outcomes)} time="${seconds.toFixed(3)}">\n` +
    `${suites.join('')}</testsuites>\n`
  )
}

function counts(of: readonly CaseOutcome[]): string {
  const [failed, skipped] = [countVerdicts(of, 'FAILED'), countVerdicts(of, 'SKIPPED')]
  return `tests="${of.length}" failures="${failed}" errors="0" skipped="${skipped}"`
}

const secondsOf = (of: readonly CaseOutcome[]): string =>
  (of.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1000).toFixed(3)

function testcase(outcome: CaseOutcome): string {
  const { case: one, tookMs } = outcome
  const names = `classname="${escaped(one.name.replace('/', '.'))}" name="${escaped(one.rule)}"`
  const head = `    <testcase ${names} time="${(tookMs / 1000).toFixed(3)}"`
  const inside = insideOf(outcome)
  return inside === '' ? `${head}/>\n` : `${head}>\n      ${inside}\n    </testcase>\n`
}

function insideOf({ case: one, verdict, got, recorded }: CaseOutcome): string {
  if (verdict === 'PASSED') return ''
  if (verdict === 'SKIPPED') return `<skipped message="${escaped(got)}"/>`
  const text = [
    one.breaks,
    describeSource(one),
    ...recorded.flatMap((exchange) => [requestText(exchange.request), answerText(exchange)]),
  ].join('\n\n')
  const message = `expected ${one.expected.text}, got ${got}`
  const attributes = `message="${escaped(message)}" type="${escaped(one.name)}"`
  return `<failure ${attributes}>${escaped(text)}</failure>`
}

/** Text escaped for XML; most control characters are replaced, since XML 1.0 cannot hold them. */
function escaped(text: string): string {
  const marks: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll(/[&<>"]/g, (mark) => marks[mark] ?? mark)
}
